/*
 * Slots, percpu_refs and pools, with each system call and each allocation failing: once, or from then on.
 * percpu_ref_init() returns -ENOMEM and has freed everything. If membarrier() fails at the start, the library
 * uses locks instead of sequences; on 64-bit Arm also if uname() fails, which tells what kernel it is. If one membarrier() fails later, the library makes it again. If the kernel
 * goes on refusing it, KREF_NOT_FENCED is reported and the object leaks.
 *
 * without: asan, which has an allocator and system calls of its own
 * without: memcheck, which has, too
 * without: qemu-user, which has no seccomp()
 * without: musl, whose malloc() has no other name
 */
#define _GNU_SOURCE
#include "faults.h"
#include "rseq.h"

static struct told told;
static int n_released;

/* Whether glibc has registered sequences. */
static int has_sequences(void)
{
#ifdef HAS_RSEQ
    return __rseq_size != 0;
#else
    return 0;
#endif
}

/* Whether no call has failed that tells the library what the kernel can do. */
static int is_told(void)
{
    return !failed(SYS_membarrier) && !failed(SYS_uname);
}

static void release(struct kref *kref)
{
    (void)kref;
    n_released++;
}

/* Each object is released, or the kernel refuses to fence: then the object leaks with a report. */
static void check_references(int objects)
{
    CHECK(n_released + told.times == objects);
    CHECK(!told.times || (told.last.kind == KREF_NOT_FENCED && refused(SYS_membarrier)));
    if (!has_sequences())
        CHECK(!kref_rseq_available());
    else if (is_told())
        CHECK(kref_rseq_available());
}

static void get_and_put(struct kref_slot *slot, struct kref *expected)
{
    CHECK(kref_slot_get(slot) == expected);
    CHECK(!kref_put(expected, release));
}

static void slots(void)
{
    struct kref_slot slot = KREF_SLOT_INIT;
    struct kref first = KREF_INIT(1), second = KREF_INIT(1);

    begin_faults();
    CHECK(kref_slot_replace(&slot, &first) == NULL);
    get_and_put(&slot, &first);
    CHECK(kref_slot_replace(&slot, &second) == &first);
    kref_put(&first, release);
    get_and_put(&slot, &second);
    CHECK(kref_slot_replace(&slot, NULL) == &second);
    kref_put(&second, release);
    end_faults();
    check_references(2);
}

static void availability(void)
{
    int answer;

    begin_faults();
    answer = kref_rseq_available();
    end_faults();
    CHECK(answer == (has_sequences() && is_told()));
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    n_released++;
}

/* All blocks are freed, but what leaks because of a refused call. The pages of the counters stay mapped. */
static void check_memory(void)
{
    if (!told.times)
        CHECK(!faults.blocks && faults.pages <= 1);
}

static void percpu_life(void)
{
    struct percpu_ref_slot slot = PERCPU_REF_SLOT_INIT;
    struct percpu_ref ref;
    int error;

    begin_faults();
    error = percpu_ref_init(&ref, release_percpu, PERCPU_REF_ALLOW_REINIT);
    if (error) {
        end_faults();
        CHECK(error == -ENOMEM && (failed(MALLOC) || failed(MMAP)));
        check_memory();
        return;
    }
    percpu_ref_get_many(&ref, 3);
    percpu_ref_switch_to_atomic_sync(&ref);
    percpu_ref_switch_to_percpu(&ref);
    CHECK(percpu_ref_tryget_live(&ref));
    CHECK(percpu_ref_slot_replace(&slot, &ref) == NULL); /* the initial reference is the slot's */
    CHECK(percpu_ref_slot_get(&slot) == &ref);
    CHECK(percpu_ref_slot_replace(&slot, NULL) == &ref);
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    CHECK(!percpu_ref_tryget_live(&ref) && !n_released);
    percpu_ref_put_many(&ref, 4);
    end_faults();
    CHECK(!failed(MALLOC) && !failed(MMAP));
    CHECK(n_released == !told.times);
    CHECK(!told.times || (told.last.kind == KREF_NOT_FENCED && refused(SYS_membarrier)));
    check_memory();
}

/* An object that was never shared: percpu_ref_exit() alone. */
static void percpu_unshared(void)
{
    struct percpu_ref ref;

    begin_faults();
    if (percpu_ref_init(&ref, release_percpu, 0) == 0)
        percpu_ref_exit(&ref);
    end_faults();
    CHECK(!told.times || refused(SYS_membarrier));
    check_memory();
}

struct session {
    struct kref kref;
};

static void session_cleanup(struct session *session)
{
    CHECK(kref_read(&session->kref) == 0);
    n_released++;
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

/* More than the first chunk of memory has. */
#define SESSIONS 400

/* Whether an allocation fails as the documentation says. */
static int was_refused(struct session *session)
{
    CHECK(session || errno == ENOMEM);
    return !session;
}

/* An allocation may fail. The sessions that there are, and later allocations, do not care. */
static void pools(void)
{
    static struct session *sessions[SESSIONS];
    int i, refusals = 0, there = 0;
    uint64_t handle = 0;

    begin_faults();
    for (i = 0; i < SESSIONS; i++) {
        sessions[there] = session_alloc();
        if (was_refused(sessions[there])) {
            refusals++;
            continue;
        }
        handle = session_handle(sessions[there]);
        session_publish(sessions[there++]);
        CHECK(kref_pool_get(&session_pool, handle) == &sessions[there - 1]->kref);
        session_unref(sessions[there - 1]);
    }
    CHECK(there + refusals == SESSIONS && kref_pool_count(&session_pool) == (size_t)there);
    for (i = 0; i < there; i++)
        session_unref(sessions[i]);
    CHECK(n_released == there && !session_by_handle(handle));
    CHECK(kref_pool_destroy(&session_pool) == 0);
    end_faults();
    CHECK(!refusals || failed(MMAP));
    CHECK(refusals <= 1 || faults.mode == FROM_NOW_ON);
    CHECK(!told.times && !faults.blocks && (!faults.pages || failed(SYS_munmap)));
}

int main(void)
{
    kref_set_violation_handler(remember, &told);
    try_each("slots", slots, NULL);
    try_each("availability", availability, NULL);
    try_each("percpu_life", percpu_life, NULL);
    try_each("percpu_unshared", percpu_unshared, NULL);
    try_each("pools", pools, NULL);

    CHECK(failed_somewhere(MALLOC));
    if (has_sequences()) {
        CHECK(failed_somewhere(SYS_membarrier) && failed_somewhere(SYS_sched_getaffinity));
        CHECK(failed_somewhere(MMAP) && failed_somewhere(SYS_munmap));
    }
    return 0;
}

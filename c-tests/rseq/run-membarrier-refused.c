/*
 * The kernel refuses membarrier() after it has granted some. The refusal is reported, and an object
 * on which a reader may be taking a reference is never released. After the kernel grants
 * membarrier() again, objects are released again. The caller's errno does not change, also if the process
 * must register for membarrier() again.
 *
 * tools: static
 */
#include "check.h"
#include "fence.h"

#define OBJECTS 200
#define UNTOUCHED 4711 /* no system call fails so */

static struct kref krefs[OBJECTS];
static int released[OBJECTS], n_released, n_confirmed;
static struct kref_slot slot = KREF_SLOT_INIT;
static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
static struct told told;
static int stop;

static void release(struct kref *kref)
{
    CHECK(!__atomic_exchange_n(&released[kref - krefs], 1, __ATOMIC_RELAXED));
    __atomic_fetch_add(&n_released, 1, __ATOMIC_RELAXED);
}

static void *read_often(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct kref *kref = kref_slot_get(&slot);

        if (!kref)
            continue;
        CHECK(!__atomic_load_n(&released[kref - krefs], __ATOMIC_RELAXED));
        kref_put(kref, release);
    }
    return unused;
}

static void replace(struct kref *next)
{
    struct kref *old = kref_slot_replace(&slot, next);

    if (old)
        kref_put(old, release);
}

static void refuse(void)
{
    fences = REFUSED;
    errno = UNTOUCHED;
}

static void must_be_told(int times, const void *what)
{
    CHECK(errno == UNTOUCHED);
    CHECK(told.times == times);
    CHECK(told.last.kind == KREF_NOT_FENCED && told.last.kref == what && told.last.caller);
    told.times = 0;
}

/* With a reader: first granted, then refused, then granted. */
static void slots(void)
{
    pthread_t reader;
    int i;

    for (i = 0; i < OBJECTS; i++)
        kref_init(&krefs[i]);
    start(&reader, read_often, NULL);
    for (i = 0; i < 50; i++)
        replace(&krefs[i]);
    CHECK(!told.times);
    refuse();
    for (; i < 150; i++)
        replace(&krefs[i]);
    must_be_told(100, &krefs[148]);
    fences = FENCES;
    for (; i < OBJECTS; i++)
        replace(&krefs[i]);
    replace(NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join(reader);
    for (i = 0; i < OBJECTS; i++)
        CHECK(released[i] == (i < 49 || i >= 149)); /* the others leak */
    CHECK(n_released == OBJECTS - 100 && !told.times);
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    n_released++;
}

static void slots_of_percpu(void)
{
    static struct percpu_ref a, b; /* they leak */

    n_released = 0;
    CHECK(percpu_ref_init(&a, release_percpu, 0) == 0);
    CHECK(percpu_ref_init(&b, release_percpu, 0) == 0);
    CHECK(percpu_ref_slot_replace(&percpu_slot, &a) == NULL);
    refuse();
    CHECK(percpu_ref_slot_replace(&percpu_slot, &b) == &a);
    must_be_told(1, &a);
    percpu_ref_kill(&a);
    must_be_told(1, &a);
    CHECK(percpu_ref_is_dying(&a) && !percpu_ref_is_zero(&a));
    CHECK(percpu_ref_slot_replace(&percpu_slot, NULL) == &b);
    must_be_told(1, &b);
    fences = FENCES;
    percpu_ref_kill(&b);
    CHECK(percpu_ref_is_dying(&b) && !percpu_ref_is_zero(&b));
    CHECK(!n_released && !told.times);
}

static void must_not_be_called(struct percpu_ref *ref)
{
    CHECK(!ref);
}

static void count_call(struct percpu_ref *ref)
{
    (void)ref;
    n_confirmed++;
}

/* There is nothing to confirm while a sequence may still count. */
static void confirmations(void)
{
    static struct percpu_ref ref, lost;

    CHECK(percpu_ref_init(&ref, release_percpu, PERCPU_REF_ALLOW_REINIT) == 0);
    CHECK(percpu_ref_init(&lost, release_percpu, PERCPU_REF_ALLOW_REINIT) == 0);
    refuse();
    percpu_ref_switch_to_atomic(&ref, must_not_be_called);
    must_be_told(1, &ref);
    percpu_ref_kill_and_confirm(&lost, must_not_be_called);
    must_be_told(1, &lost);
    fences = FENCES;
    n_confirmed = 0;
    percpu_ref_switch_to_atomic(&ref, count_call);
    CHECK(n_confirmed == 1);
    percpu_ref_kill_and_confirm(&ref, count_call);
    CHECK(n_confirmed == 2 && n_released == 1 && !told.times);
    n_released = 0;
}

static void modes(void)
{
    static struct percpu_ref ref, lost;

    CHECK(percpu_ref_init(&ref, release_percpu, PERCPU_REF_ALLOW_REINIT) == 0);
    CHECK(percpu_ref_init(&lost, release_percpu, PERCPU_REF_ALLOW_REINIT) == 0);
    percpu_ref_get(&ref);
    refuse();
    percpu_ref_switch_to_atomic(&ref, NULL);
    must_be_told(1, &ref);
    percpu_ref_get_many(&ref, 2);
    percpu_ref_put(&ref);
    percpu_ref_kill(&lost);
    must_be_told(1, &lost);
    CHECK(!percpu_ref_tryget_live(&lost) && !percpu_ref_is_zero(&lost));
    fences = FENCES;
    percpu_ref_kill(&ref); /* adds up the counters of all CPUs now */
    CHECK(!n_released && !percpu_ref_is_zero(&ref));
    percpu_ref_put_many(&ref, 2);
    CHECK(n_released == 1 && !told.times);
}

static void restored_from_a_checkpoint(void)
{
    struct kref old = KREF_INIT(1);

    CHECK(kref_slot_replace(&slot, &old) == NULL);
    fences = UNREGISTERED;
    errno = UNTOUCHED;
    fenced = 0;
    CHECK(kref_slot_replace(&slot, NULL) == &old);
    CHECK(fences == FENCES && fenced == 1 && errno == UNTOUCHED);
    CHECK(kref_read(&old) == 1 && !told.times);
}

int main(void)
{
    kref_set_violation_handler(remember, &told);
    if (!kref_rseq_available())
        return 0; /* the library never calls membarrier() */
    slots();
    slots_of_percpu();
    confirmations();
    modes();
    restored_from_a_checkpoint();
    return 0;
}

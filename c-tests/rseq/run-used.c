/*
 * Where glibc, or with musl libkref, has registered sequences and the kernel can fence, a get from a slot
 * takes no lock, and a percpu_ref counts on the CPUs. The fallbacks give the same results, so no other test
 * fails if the library never uses a sequence.
 *
 * without: asan, which has mutexes of its own
 */
#define _GNU_SOURCE
#include "rseq.h"

#ifdef HAS_RSEQ

#define QUERY 0
/* The distance of two CPUs' counters, as kref/percpu_inline.h has it. */
#define DISTANCE 512
#define PRIVATE_EXPEDITED_RSEQ (1 << 7)

static int locks;

/* Replace libc's functions, and count. The program has one thread. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
    locks++;
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

static long counted(const struct percpu_ref *ref)
{
    long sum = 0;
    unsigned int cpu;

    for (cpu = 0; cpu < ref->cpus; cpu++)
        sum += *(const long *)((const char *)ref->counters + (size_t)cpu * DISTANCE);
    return sum;
}

static void release(struct kref *kref)
{
    (void)kref;
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

int main(void)
{
    long commands = syscall(SYS_membarrier, QUERY, 0, 0);
    struct kref kref = KREF_INIT(1);
    struct kref_slot slot = KREF_SLOT_INIT;
    struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
    struct percpu_ref ref;
    int available = __rseq_size && commands > 0 && commands & PRIVATE_EXPEDITED_RSEQ;

    CHECK(kref_rseq_available() == available);
    if (!available)
        return 0;
    CHECK(!percpu_ref_init(&ref, release_percpu, 0) && ref.cpus && ref.counters);
    CHECK(!kref_slot_replace(&slot, &kref) && !percpu_ref_slot_replace(&percpu_slot, &ref));
    locks = 0;
    CHECK(kref_slot_get(&slot) == &kref && percpu_ref_slot_get(&percpu_slot) == &ref);
    CHECK(!locks && counted(&ref) == 1);
    percpu_ref_put(&ref);
    CHECK(counted(&ref) == 0);
    percpu_ref_get(&ref);
    CHECK(percpu_ref_tryget(&ref) && percpu_ref_tryget_live(&ref) && counted(&ref) == 3);
    percpu_ref_put_many(&ref, 3);
    CHECK(counted(&ref) == 0);
    CHECK(percpu_ref_slot_replace(&percpu_slot, NULL) == &ref && kref_slot_replace(&slot, NULL) == &kref);
    CHECK(locks);
    percpu_ref_kill(&ref);
    kref_put(&kref, release);
    CHECK(kref_put(&kref, release));
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

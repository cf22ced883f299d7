/*
 * One percpu_ref is counted in all ways at the same time: by inline and by exported functions, by
 * threads that change their CPU, and by threads without restartable sequences. Some threads take
 * references and others put them, and in the end the sum is exact.
 *
 * tools: static
 */
#define _GNU_SOURCE
#include "check.h"
#include "rseq.h"

#include <sched.h>

#define ROUNDS 200000ul
#define PARTS 100

/* A pointer to a function points to the exported function, never to the inline one. */
static void (*volatile exported_get)(struct percpu_ref *) = percpu_ref_get;
static void (*volatile exported_put)(struct percpu_ref *) = percpu_ref_put;
static int (*volatile exported_tryget)(struct percpu_ref *) = percpu_ref_tryget;
static void (*volatile exported_get_many)(struct percpu_ref *, unsigned long) = percpu_ref_get_many;

static struct percpu_ref ref;
static int released;

static void release(struct percpu_ref *percpu)
{
    CHECK(percpu == &ref);
    released++;
}

/* From now on the thread has no restartable sequences, as if glibc could not register them. */
static void unregister(void)
{
#ifdef HAS_RSEQ
    if (kref_rseq_available())
        rseq_register(RSEQ_FLAG_UNREGISTER);
#endif
}

static void *take(void *how)
{
    unsigned long i;

    if (how)
        unregister();
    for (i = 0; i < ROUNDS; i++) {
        percpu_ref_get(&ref);
        exported_get(&ref);
        CHECK(exported_tryget(&ref) && percpu_ref_tryget_live(&ref));
    }
    return NULL;
}

static void *give(void *how)
{
    unsigned long i;

    if (how)
        unregister();
    for (i = 0; i < ROUNDS; i++) {
        percpu_ref_put(&ref);
        exported_put(&ref);
        percpu_ref_put_many(&ref, 2);
    }
    return NULL;
}

static void *migrate(void *unused)
{
    cpu_set_t all, one;
    int i, cpu = 0;

    (void)unused;
    CHECK(!sched_getaffinity(0, sizeof all, &all));
    for (i = 0; i < 2000; i++) {
        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, &all));
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(!sched_setaffinity(0, sizeof one, &one));
        percpu_ref_get(&ref);
        exported_put(&ref);
    }
    return NULL;
}

int main(void)
{
    void *(*bodies[])(void *) = { take, take, give, give, migrate, migrate };
    pthread_t threads[6];
    int i;

    CHECK(!percpu_ref_init(&ref, release, 0));
    /* For puts that come before their gets. In parts: where a long has 32 bits, one call takes at most
     * 2^15 - 1. */
    for (i = 0; i < PARTS; i++)
        exported_get_many(&ref, 8 * ROUNDS / PARTS);
    for (i = 0; i < 6; i++)
        start(&threads[i], bodies[i], i % 2 ? &ref : NULL);
    for (i = 0; i < 6; i++)
        join(threads[i]);
    for (i = 0; i < PARTS; i++)
        percpu_ref_put_many(&ref, 8 * ROUNDS / PARTS - (i == 0));
    percpu_ref_kill(&ref);
    CHECK(!released && !percpu_ref_is_zero(&ref));
    percpu_ref_put(&ref);
    CHECK(released == 1);
    percpu_ref_exit(&ref);
    return 0;
}

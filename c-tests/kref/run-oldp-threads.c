/*
 * The count before, from the kernel's functions with two underscores, in several threads. Each value is the one that
 * the operation changed: among all threads, each value of the count is written to an *oldp once.
 *
 * tools: tsan
 */
#include "check.h"
#include <kref/linux/refcount.h>

#define THREADS 4
#define ROUNDS 5000

static refcount_t count = REFCOUNT_INIT(1);
static unsigned char taken[THREADS * ROUNDS + 1], given[THREADS * ROUNDS + 2];
static int last;
static pthread_barrier_t all_run;

static void *take(void *arg)
{
    int i, old;

    pthread_barrier_wait(&all_run);
    for (i = 0; i < ROUNDS; i++) {
        switch (i % 4) {
        case 0: __refcount_inc(&count, &old); break;
        case 1: __refcount_add(1, &count, &old); break;
        case 2: CHECK(__refcount_inc_not_zero(&count, &old)); break;
        default: CHECK(__refcount_inc_not_zero_limited_acquire(&count, &old, REFCOUNT_MAX));
        }
        CHECK(old >= 1 && old <= THREADS * ROUNDS);
        __atomic_fetch_add(&taken[old], 1, __ATOMIC_RELAXED);
    }
    return arg;
}

static void *give(void *arg)
{
    int i, old;

    pthread_barrier_wait(&all_run);
    for (i = 0; i < ROUNDS; i++) {
        if (i % 2)
            __refcount_dec(&count, &old);
        else
            CHECK(!__refcount_dec_and_test(&count, &old));
        CHECK(old >= 2 && old <= THREADS * ROUNDS + 1);
        __atomic_fetch_add(&given[old], 1, __ATOMIC_RELAXED);
    }
    return arg;
}

/* Four references, one for each thread: the thread whose old count is 1 has given the last one back. */
static void *finish(void *arg)
{
    int old, is_last;

    pthread_barrier_wait(&all_run);
    is_last = __refcount_dec_and_test(&count, &old);
    CHECK(is_last == (old == 1));
    __atomic_fetch_add(&last, is_last, __ATOMIC_RELAXED);
    return arg;
}

static void in_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        start(&threads[i], body, NULL);
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
}

/* Orderings. Each thread writes to the object and gives its reference back; the last one reads. */
struct object {
    refcount_t refs;
    int written[THREADS];
};

static struct object *object;

static void *write_and_give(void *number)
{
    int i, sum = 0;

    object->written[(size_t)number] = 1;
    if (__refcount_sub_and_test(1, &object->refs, NULL)) {
        for (i = 0; i < THREADS; i++)
            sum += object->written[i];
        CHECK(sum == THREADS);
        free(object);
    }
    return NULL;
}

static void last_reads_all(void)
{
    pthread_t threads[THREADS];
    size_t i;

    object = calloc(1, sizeof *object);
    CHECK(object);
    refcount_set(&object->refs, THREADS);
    for (i = 0; i < THREADS; i++)
        start(&threads[i], write_and_give, (void *)i);
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
}

/* Orderings. Memory that is reused: a thread that takes a reference sees what was written before
 * refcount_set_release(). */
static struct object reused = { REFCOUNT_INIT(0), { 0 } };

static void *reuse(void *arg)
{
    reused.written[0] = 7;
    refcount_set_release(&reused.refs, 1);
    return arg;
}

static void *take_reused(void *arg)
{
    int old = -1;

    while (!__refcount_inc_not_zero_acquire(&reused.refs, &old))
        CHECK(old == 0);
    CHECK(old == 1 && reused.written[0] == 7);
    return arg;
}

static void taker_sees_what_was_written(void)
{
    pthread_t taker, writer;

    start(&taker, take_reused, NULL);
    start(&writer, reuse, NULL);
    join(taker);
    join(writer);
}

int main(void)
{
    int i;

    CHECK(!pthread_barrier_init(&all_run, NULL, THREADS));
    in_threads(take);
    CHECK(refcount_read(&count) == THREADS * ROUNDS + 1);
    for (i = 1; i <= THREADS * ROUNDS; i++)
        CHECK(taken[i] == 1);
    in_threads(give);
    CHECK(refcount_read(&count) == 1);
    for (i = 2; i <= THREADS * ROUNDS + 1; i++)
        CHECK(given[i] == 1);

    for (i = 0; i < 200; i++) {
        refcount_set(&count, THREADS);
        in_threads(finish);
    }
    CHECK(last == 200);
    for (i = 0; i < 20; i++)
        last_reads_all();
    taker_sees_what_was_written();
    pthread_barrier_destroy(&all_run);
    return 0;
}

/* A get and a put, ARG 1 threads, on an object of each or (ARG 2) on one, 16 calls below the thread. */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 300000
#define CALLS 14

static struct kref *shared;

static void release(struct kref *kref)
{
    free(kref);
}

static struct kref *make(void)
{
    struct kref *kref = malloc(sizeof *kref);

    if (!kref)
        abort();
    kref_init(kref);
    return kref;
}

__attribute__((noinline)) static void work(struct kref *kref)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        kref_get(kref);
        kref_put(kref, release);
    }
}

__attribute__((noinline)) static void call(struct kref *kref, volatile int calls)
{
    if (calls)
        call(kref, calls - 1);
    else
        work(kref);
    calls = 0; /* not a tail call */
}

static void *run(void *unused)
{
    struct kref *own = shared ? shared : make();

    call(own, CALLS);
    if (!shared)
        kref_put(own, release);
    return unused;
}

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int i, count = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t threads[64];
    double begun;

    if (argc > 2)
        shared = make();
    begun = seconds();
    for (i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, NULL))
            abort();
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    printf("%.3f\n", (seconds() - begun) * 1e9 / ROUNDS / count);
    if (shared)
        kref_put(shared, release);
    return 0;
}

/*
 * The thread's reference is taken after pthread_create(). A fast thread has put the only reference
 * by then. Seen where the creator of a worker goes on using the object. Here the thread is made
 * fast.
 *
 * found by: get-after-release
 */
#include "check.h"

struct job {
    char name[16];
    struct kref kref;
    int result;
};

static int done;

static void job_release(struct kref *kref)
{
    free(kref_entry(kref, struct job, kref));
}

static void *work(void *arg)
{
    struct job *job = arg;

    job->result = 42;
    kref_put(&job->kref, job_release);
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct job *job = calloc(1, sizeof *job);
    pthread_t thread;

    CHECK(job);
    kref_init(&job->kref);
#ifdef RIGHT
    kref_get(&job->kref); /* FIX */
#endif
    start(&thread, work, job);
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED))
        ;
#ifndef RIGHT
    kref_get(&job->kref); /* BLAME */
#endif
    kref_put(&job->kref, job_release);
    join(thread);
    return 0;
}

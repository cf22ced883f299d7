/*
 * get-after-create.c, left to chance: a thread nearly always takes longer to start than its creator
 * to take the reference that comes too late. Met once a month, on the busiest machine.
 * Without a schedule that helps, most runs show nothing today.
 *
 * found by: race
 */
#include "check.h"

#define ROUNDS 10

struct job {
    char name[16];
    struct kref kref;
    int result;
};

static void job_release(struct kref *kref)
{
    free(kref_entry(kref, struct job, kref));
}

static void *work(void *arg)
{
    struct job *job = arg;

    job->result = 42;
    kref_put(&job->kref, job_release);
    return NULL;
}

static void run_job(void)
{
    struct job *job = calloc(1, sizeof *job);
    pthread_t thread;

    CHECK(job);
    kref_init(&job->kref);
#ifdef RIGHT
    kref_get(&job->kref); /* FIX */
#endif
    start(&thread, work, job);
#ifndef RIGHT
    kref_get(&job->kref); /* BLAME */
#endif
    join(thread);
    kref_put(&job->kref, job_release);
}

int main(void)
{
    int i;

    for (i = 0; i < ROUNDS; i++)
        run_job();
    return 0;
}

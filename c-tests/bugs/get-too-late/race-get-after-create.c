/*
 * The bug of get-after-create.c, left to chance: the creator takes its late reference nearly always
 * before the thread runs. Seen once a month, on the busiest machine.
 * In most runs nothing shows this bug, unless kref-track changes the schedule.
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

/*
 * The giver takes a reference for the worker. The worker takes another one and puts that, and never
 * puts the first. Seen between two modules that are both careful.
 * The worker's get and put match, so the reference that is left over is the giver's.
 *
 * found by: leak
 */
#include "check.h"

struct job {
    char name[16];
    struct kref kref;
    int done;
};

static struct job *inbox;

static void job_release(struct kref *kref)
{
    free(kref_entry(kref, struct job, kref));
}

static void give(struct job *job)
{
    kref_get(&job->kref); /* BLAME */
    inbox = job;
}

static void take(void)
{
    struct job *job = inbox;

    inbox = NULL;
#ifndef RIGHT
    kref_get(&job->kref); /* FIX */
#endif
    job->done = 1;
    kref_put(&job->kref, job_release);
}

int main(void)
{
    struct job *job = calloc(1, sizeof *job);

    CHECK(job);
    kref_init(&job->kref);
    give(job);
    take();
    CHECK(job->done);
    kref_put(&job->kref, job_release);
    return 0;
}

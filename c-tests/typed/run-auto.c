/*
 * KREF_AUTO gives its reference back by whatever way the scope is left; kref_move() hands it on; KREF_GUARD
 * holds a reference for one block.
 */
#include "../harness/check.h"

struct job {
    struct kref kref;
};

static int freed;

static void job_free(struct job *job)
{
    freed++;
    free(job);
}

KREF_DEFINE(job, struct job, kref, job_free);

static struct job *job_new(void)
{
    struct job *job = (struct job *)malloc(sizeof *job);

    CHECK(job);
    job_ref_init(job);
    return job;
}

/* A constructor that may fail: no path leaks, and no path frees what it returns. */
static struct job *job_open(int fails)
{
    KREF_AUTO(job) job = job_new();

    if (fails)
        return NULL;
    return kref_move(&job);
}

static void constructor(void)
{
    struct job *job;

    freed = 0;
    CHECK(job_open(1) == NULL && freed == 1);
    job = job_open(0);
    CHECK(job && freed == 1 && job_is_unique(job));
    job_unref(job);
    CHECK(freed == 2);
}

static void moved(void)
{
    struct job *job = job_new(), *to = kref_move(&job);

    CHECK(job == NULL && to && job_is_unique(to));
    job_unref(to);
}

static unsigned int held(struct job *job)
{
    return kref_read(&job->kref);
}

static int returns_from_guard(struct job *job)
{
    KREF_GUARD (job, job)
        return (int)held(job);
    return 0;
}

static void guard(void)
{
    KREF_AUTO(job) job = job_new(), empty = NULL;
    int i, times = 0;

    KREF_GUARD (job, job) {
        CHECK(held(job) == 2);
        KREF_GUARD (job, job)
            CHECK(held(job) == 3);
        CHECK(held(job) == 2);
        times++;
    }
    CHECK(times == 1 && held(job) == 1);
    for (i = 0; i < 3; i++)
        KREF_GUARD (job, job) {
            if (i == 1)
                continue; /* leaves the block, not the loop */
            times++;
        }
    CHECK(times == 3 && held(job) == 1);
    CHECK(returns_from_guard(job) == 2 && held(job) == 1);
    KREF_GUARD (job, empty)
        times++;
    CHECK(times == 4);
}

int main(void)
{
    constructor();
    moved();
    freed = 0;
    guard();
    CHECK(freed == 1);
    return 0;
}

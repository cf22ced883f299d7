/*
 * A reference of KREF_AUTO is returned without kref_move(), so it is given back first.
 * caught by: asan: heap-use-after-free
 */
#include "../harness/check.h"

struct job {
    struct kref kref;
    int number;
};

static void job_free(struct job *job)
{
    free(job);
}

KREF_DEFINE(job, struct job, kref, job_free);

static struct job *job_new(void)
{
    KREF_AUTO(job) job = (struct job *)malloc(sizeof *job);

    CHECK(job);
    job_ref_init(job);
    job->number = 1;
    return job; /* wrong; right: kref_move(&job) */
}

int main(void)
{
    return job_new()->number;
}

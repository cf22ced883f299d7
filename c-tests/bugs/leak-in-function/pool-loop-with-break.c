/*
 * A loop over a pool looks for one object and ends at another one that it does not want: the reference of the
 * loop's last step is forgotten. Seen with iterators that give a reference on each element.
 *
 * found by: leak
 */
#include "check.h"

struct job {
    int number, is_urgent;
    struct kref kref;
};

static void job_release(struct kref *kref);
static struct kref_pool pool = KREF_POOL_INIT(struct job, kref, job_release);

static void job_release(struct kref *kref)
{
    kref_pool_free(&pool, kref);
}

static struct job *add(int number, int is_urgent)
{
    struct job *job = kref_pool_alloc(&pool);

    CHECK(job);
    job->number = number;
    job->is_urgent = is_urgent;
    kref_pool_publish(&pool, &job->kref);
    return job;
}

static int first_urgent(void)
{
    struct kref *kref;
    unsigned cursor = 0;
    int number = 0;

    while (!number && (kref = kref_pool_next(&pool, &cursor))) { /* BLAME */
        struct job *job = kref_entry(kref, struct job, kref);

        if (job->is_urgent) {
            number = job->number;
#ifndef RIGHT
            break; /* FIX */
#endif
        }
        kref_put(kref, job_release);
    }
    return number;
}

int main(void)
{
    struct job *first = add(1, 0), *second = add(2, 1);

    CHECK(first_urgent() == 2);
    kref_put(&first->kref, job_release);
    kref_put(&second->kref, job_release);
    return 0;
}

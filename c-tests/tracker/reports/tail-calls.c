/*
 * Functions whose last statement is a call. Compiled with -O2 they jump to the function that they call, and are not
 * on the stack of its get. The debug information knows them, unless two ways lead to the get.
 */
#include "../../harness/check.h"

#define NOINLINE __attribute__((noinline))

static volatile int results;

static void job_release(struct kref *kref)
{
    free(kref);
}

NOINLINE static void job_get(struct kref *job)
{
    kref_get(job);
    results++;
}

NOINLINE static void direct(struct kref *job)
{
    results++;
    job_get(job); /* DIRECT */
}

/* Not static: called by its name. */
NOINLINE void outer(struct kref *job)
{
    results += 2;
    direct(job); /* OUTER */
}

/* Either of two calls may have been the one. */
NOINLINE static void twice(struct kref *job, int which)
{
    if (which == 1) {
        results += 3;
        job_get(job);
    } else {
        results += 5;
        direct(job);
    }
}

/* The call by a pointer may have been the one. */
NOINLINE static void indirect(struct kref *job, void (*function)(struct kref *job))
{
    if (function)
        function(job);
    else
        job_get(job);
}

NOINLINE static struct kref *job_new(void)
{
    struct kref *job = malloc(sizeof *job);

    CHECK(job);
    kref_init(job);
    return job;
}

int main(int argc, char **argv)
{
    void (*volatile function)(struct kref *job) = job_get;
    struct kref *job = job_new();
    const char *how = argc > 1 ? argv[1] : "direct";

    if (!strcmp(how, "direct"))
        direct(job);
    else if (!strcmp(how, "outer"))
        outer(job);
    else if (!strcmp(how, "twice"))
        twice(job, argc);
    else if (!strcmp(how, "indirect"))
        indirect(job, function);
    results++;
    kref_put(job, job_release);
    return 0;
}

/*
 * A job is lost in a child that ends by _exit(), as children of servers and daemons do. Nothing
 * that runs at exit() sees it.
 *
 * found by: leak
 */
#include "check.h"

#include <sys/wait.h>

struct job {
    int number;
    struct kref kref;
};

static void job_release(struct kref *kref)
{
    free(kref_entry(kref, struct job, kref));
}

static void work(void)
{
    for (int i = 0; i < 5; i++) {
        struct job *job = calloc(1, sizeof *job);

        CHECK(job);
        kref_init(&job->kref); /* BLAME */
        job->number = i;
#ifndef RIGHT
        if (i == 2)
            continue;
#endif
        kref_put(&job->kref, job_release);
    }
}

int main(void)
{
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return 0;
}

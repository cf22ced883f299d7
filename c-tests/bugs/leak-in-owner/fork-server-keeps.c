/*
 * A server forks for each request, and takes a reference for the child. The child has a copy of the count,
 * so its put gives nothing back in the parent. Seen where threads were replaced by processes.
 *
 * found by: leak
 */
#include "check.h"

#include <sys/wait.h>

struct request {
    int number;
    struct kref kref;
};

static void request_release(struct kref *kref)
{
    free(kref_entry(kref, struct request, kref));
}

static void serve(struct request *request)
{
    int status;
    pid_t child;

    kref_get(&request->kref); /* BLAME */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kref_put(&request->kref, request_release);
        _exit(request->number);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
#ifdef RIGHT
    kref_put(&request->kref, request_release); /* FIX */
#endif
}

int main(void)
{
    for (int i = 0; i < 2; i++) {
        struct request *request = calloc(1, sizeof *request);

        CHECK(request);
        kref_init(&request->kref);
        request->number = i;
        serve(request);
        kref_put(&request->kref, request_release);
    }
    return 0;
}

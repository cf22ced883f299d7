/*
 * A callback that runs only after a failure keeps the request for the error log, and the log never
 * puts it. Seen in completion handlers: no test covers the path until the disk is full.
 *
 * found by: leak
 */
#include "check.h"

struct request {
    char path[32];
    struct kref kref;
    int status;
};

static struct request *last_failed;

static void request_release(struct kref *kref)
{
    free(kref_entry(kref, struct request, kref));
}

static void on_failure(struct request *request)
{
    kref_get(&request->kref); /* BLAME */
    last_failed = request;
}

static void log_failure(void)
{
    if (last_failed && last_failed->status != -28)
        printf("unknown error on %s\n", last_failed->path);
#ifdef RIGHT
    if (last_failed)
        kref_put(&last_failed->kref, request_release); /* FIX */
#endif
    last_failed = NULL;
}

static void transfer(int status)
{
    struct request *request = calloc(1, sizeof *request);

    CHECK(request);
    kref_init(&request->kref);
    request->status = status;
    if (status < 0)
        on_failure(request);
    log_failure();
    kref_put(&request->kref, request_release);
}

int main(void)
{
    transfer(0);
    transfer(-28);
    transfer(0);
    return 0;
}

/*
 * A cancelled thread ends at its next cancellation point. kref_get() is no cancellation point, not
 * even when it reports a violation: writing the line to standard error is none, and finding the
 * caller's module is none.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>

static int stderr_pipe[2];
static int survived;

static void *misuse_cancelled(void *arg)
{
    /*
     * Static, so that this frame has nothing that AddressSanitizer poisons. Nobody removes the
     * poison of a frame that a cancelled thread leaves. AddressSanitizer's own code, which ends the
     * thread and uses the same stack, would find the poison and report itself.
     */
    static struct kref kref = KREF_INIT(0);

    CHECK(!pthread_cancel(pthread_self()));
    kref_get(&kref);
    survived = 1;
    pthread_testcancel();
    CHECK(!"cancelled by nobody");
    return arg;
}

int main(void)
{
    char text[4096] = "";
    pthread_t thread;
    void *result;

    CHECK(!pipe2(stderr_pipe, O_NONBLOCK) && dup2(stderr_pipe[1], 2) == 2);
    start(&thread, misuse_cancelled, NULL);
    CHECK(!pthread_join(thread, &result));
    CHECK(read(stderr_pipe[0], text, sizeof text - 1) > 0 && lines(text) == 1);
    CHECK(strstr(text, "get on a count of zero"));
    CHECK(survived && result == PTHREAD_CANCELED);
    return 0;
}

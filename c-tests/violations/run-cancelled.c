/*
 * A thread that has been cancelled ends at its own next cancellation point, and not in the midst of a
 * kref_get() that has something to say: neither the line on standard error is one, nor the look at
 * where the call was.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>

static int stderr_pipe[2];
static int survived;

static void *misuse_cancelled(void *arg)
{
    struct kref kref = KREF_INIT(0);

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

/*
 * Processes of another PID namespace, which call themselves 1, 2 and 3. Each holds an object that nobody gives back, and
 * ends without exit(). The first one executes the program again, and then exits. Each process waits until
 * kref-track has seen it: of a process that has ended, kref-track cannot learn the number that it has outside.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <fcntl.h>
#include <kref/track.h>
#include <sched.h>
#include <sys/wait.h>

static void hold(const char *name)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    kref_get_as(&object_new()->kref, name); /* HERE */
    CHECK(null >= 0 && kref_track_report(null) == 0);
    close(null);
}

/* In a child. Returns the child's status. */
static int in_child(void (*work)(void))
{
    int status, child = fork();

    CHECK(child >= 0);
    if (child == 0)
        work();
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void end(void)
{
    hold(getpid() == 2 ? "second" : "third");
    _exit(0);
}

static void first(void)
{
    CHECK(getpid() == 1);
    hold("first");
    CHECK(in_child(end) == 0);
    execl("/proc/self/exe", "namespaces", "again", NULL);
    _exit(2);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        CHECK(getpid() == 1 && in_child(end) == 0);
        hold("again");
        return 0;
    }
    /* Without this right there is no such namespace. */
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
        return 77;
    CHECK(in_child(first) == 0);
    return 0;
}

/*
 * Runs a program with less than usual: start-limited as|fsize BYTES PROGRAM..., or with "proc" without /proc. This one
 * is not linked with libkref.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

static int hide_proc(void)
{
    return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", "/proc", "tmpfs", 0, NULL);
}

static int limit(int resource, const char *bytes)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit))
        return -1;
    limit.rlim_cur = strtoul(bytes, NULL, 10);
    return setrlimit(resource, &limit);
}

int main(int argc, char **argv)
{
    int failed;

    if (argc < 4)
        return 99;
    if (strcmp(argv[1], "proc") == 0)
        failed = hide_proc();
    else
        failed = limit(strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_FSIZE, argv[2]);
    if (failed)
        return 77;
    execv(argv[3], &argv[3]);
    return 98;
}

/* Holds two references, and ends in one of many ways. */
#include "../object.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A daemon that goes on when its parent has ended. */
static void be_daemon(void)
{
    int parent[2];
    char none;

    CHECK(pipe(parent) == 0 && daemon(1, 1) == 0);
    close(parent[1]);
    CHECK(read(parent[0], &none, 1) == 0); /* the parent had the other end until it ended */
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    struct object *object = object_new();

    kref_get_as(&object->kref, "cache"); /* HERE */
    if (!strcmp(how, "fault"))
        *(volatile int *)8 = 1;
    if (!strcmp(how, "kill"))
        raise(SIGKILL);
    if (!strcmp(how, "_exit"))
        _exit(3);
    if (!strcmp(how, "terminate"))
        raise(SIGTERM);
    if (!strcmp(how, "quick_exit"))
        quick_exit(3);
    if (!strcmp(how, "close"))
        for (int fd = 0; fd < 100; fd++)
            close(fd);
    if (!strcmp(how, "exec"))
        execl("/proc/self/exe", "ends", NULL);
    if (!strcmp(how, "daemon"))
        be_daemon();
    if (!strcmp(how, "child") && fork() == 0) {
        kref_get_as(&object->kref, "child");
        _exit(0);
    }
    if (!strcmp(how, "wait")) {
        puts("ready");
        fflush(stdout);
        getchar();
        for (int i = 0; i < 100000; i++)
            object_put(object_new());
        puts("went on");
    }
    return 0;
}

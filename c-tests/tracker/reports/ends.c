/* Holds two references, and ends in one of many ways. */
#include "../object.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    if (!strcmp(how, "exec"))
        execl("/proc/self/exe", "ends", NULL);
    if (!strcmp(how, "daemon"))
        CHECK(daemon(1, 1) == 0);
    if (!strcmp(how, "child") && fork() == 0) {
        kref_get_as(&object->kref, "child");
        _exit(0);
    }
    if (!strcmp(how, "wait")) {
        puts("ready");
        fflush(stdout);
        getchar();
    }
    return 0;
}

/* Holds a reference, and executes a program that is not tracked: itself, or in a child. */
#include "../object.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct object *object = object_new();
    pid_t pid = 0;

    kref_get_as(&object->kref, "cache"); /* HERE */
    if (argc > 2 && !strcmp(argv[1], "child"))
        pid = fork();
    if (pid == 0) {
        kref_get_as(&object->kref, "heir");
        execl("/bin/sleep", "sleep", argv[argc - 1], NULL);
        return 1;
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    return 0;
}

/*
 * A child takes over what the parent had at the fork, and gives it back; the parent has changed all of it before the
 * child begins to. Neither has anything left.
 */
#include "../object.h"
#include <sys/wait.h>
#include <unistd.h>

#define OBJECTS 1000

static struct object *objects[OBJECTS];

static void give_back(const char *name)
{
    int i;

    for (i = 0; i < OBJECTS; i++) {
        kref_put_as(&objects[i]->kref, object_release, name);
        object_put(objects[i]);
    }
}

int main(void)
{
    int ends[2], i, status;
    char byte = 0;
    pid_t pid;

    CHECK(pipe(ends) == 0);
    for (i = 0; i < OBJECTS; i++) {
        objects[i] = object_new();
        kref_get_as(&objects[i]->kref, "both");
    }
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(read(ends[0], &byte, 1) == 1);
        give_back("both");
        object_put(object_new());
        exit(0);
    }
    give_back("both");
    for (i = 0; i < OBJECTS; i++)
        objects[i] = object_new();
    CHECK(write(ends[1], &byte, 1) == 1);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    for (i = 0; i < OBJECTS; i++)
        object_put(objects[i]);
    return 0;
}

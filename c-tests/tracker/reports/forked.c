/* A parent and its child leak at the same place: at the same time, or with an argument, the child first. */
#include "../object.h"
#include <sys/wait.h>

__attribute__((noinline)) static void leak(void)
{
    struct object *object = object_new();

    kref_get(&object->kref);
    object_put(object);
}

int main(int argc, char **argv)
{
    pid_t child = fork();

    (void)argv;
    if (child && argc > 1)
        CHECK(waitpid(child, NULL, 0) == child);
    leak();
    if (child && argc == 1)
        CHECK(waitpid(child, NULL, 0) == child);
    return 0;
}

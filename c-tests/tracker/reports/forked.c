/* A parent and its child leak at the same place. */
#include "../object.h"
#include <sys/wait.h>

__attribute__((noinline)) static void leak(void)
{
    struct object *object = object_new();

    kref_get(&object->kref);
    object_put(object);
}

int main(void)
{
    pid_t child = fork();

    leak();
    if (child)
        CHECK(waitpid(child, NULL, 0) == child);
    return 0;
}

/* A holder's name lies on the stack, which has other bytes when the report is written. */
#include "../object.h"

static __attribute__((noinline)) void hold(struct kref *kref, int number)
{
    char name[32];

    snprintf(name, sizeof name, "user-%d", number);
    kref_get_as(kref, name);
}

static __attribute__((noinline)) void overwrite(void)
{
    char bytes[400];

    memset(bytes, '\033', sizeof bytes);
    __asm__ volatile("" ::"r"(bytes) : "memory");
}

int main(void)
{
    struct object *object = object_new();

    hold(&object->kref, 7);
    overwrite();
    object_put(object);
    return 0;
}

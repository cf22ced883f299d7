/*
 * While this program runs, another one takes the place of its file: the same with -DREPLACEMENT, where other functions
 * are at these addresses. The reports must have the names and lines of what runs.
 */
#include "../object.h"

#ifdef REPLACEMENT
#define DECOYS(name)                                                                               \
    __attribute__((noinline)) int name(int n)                                                      \
    {                                                                                              \
        for (int i = 0; i < n; i++)                                                                \
            __asm__ volatile(".skip 64, 0x90");                                                    \
        return n;                                                                                  \
    }
int decoy_1(int n), decoy_2(int n), decoy_3(int n), decoy_4(int n);
DECOYS(decoy_1) DECOYS(decoy_2) DECOYS(decoy_3) DECOYS(decoy_4)
#else
static __attribute__((noinline)) void hold(struct kref *kref)
{
    kref_get(kref); /* HERE */
    __asm__ volatile("");
}
#endif

int main(void)
{
    struct object *object;

    puts("ready");
    fflush(stdout);
    CHECK(getchar() != EOF);
    object = object_new();
#ifndef REPLACEMENT
    hold(&object->kref);
#endif
    object_put(object);
    return 0;
}

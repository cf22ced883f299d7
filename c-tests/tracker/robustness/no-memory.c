/* The address space is full after the first object. The tracker must not crash. */
#include "../object.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define POOL 200000

static struct kref pool[POOL];

static void nothing(struct kref *kref)
{
    (void)kref;
}

__attribute__((noinline)) static void another_place(struct kref *kref)
{
    kref_get(kref);
    kref_put(kref, nothing);
}

int main(void)
{
    struct rlimit none = { 1 << 20, 1 << 20 };
    int i;

    kref_init(&pool[0]);
    CHECK(setrlimit(RLIMIT_AS, &none) == 0);
    CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    for (i = 1; i < POOL; i++)
        kref_init(&pool[i]);
    for (i = 0; i < POOL; i++)
        another_place(&pool[i]);
    for (i = 0; i < POOL; i++)
        CHECK(kref_put(&pool[i], nothing) == 1);
    return 0;
}

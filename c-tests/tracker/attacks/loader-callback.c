/*
 * Objects are used in a callback of dl_iterate_phdr(), as unwinders, profilers and crash handlers do, while another
 * thread meets stacks that it has not met before.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <link.h>

#define ROUNDS 300

static int in_callbacks, outside;

/* The bits are the way: each leads to another stack. */
static __attribute__((noinline)) void use(int deep, unsigned int bits)
{
    if (deep == 0)
        object_put(object_new());
    else if (bits & 1)
        use(deep - 1, bits >> 1);
    else {
        use(deep - 1, bits >> 1);
        __asm__ volatile("");
    }
    __asm__ volatile("");
}

static int callback(struct dl_phdr_info *info, size_t size, void *bits)
{
    (void)info;
    (void)size;
    use(12, *(unsigned int *)bits);
    return 0;
}

static int both_went_on(void)
{
    return __atomic_load_n(&in_callbacks, __ATOMIC_RELAXED) >= ROUNDS &&
        __atomic_load_n(&outside, __ATOMIC_RELAXED) >= ROUNDS;
}

static void *iterate(void *unused)
{
    for (unsigned int bits = 1; !both_went_on(); bits = bits * 1103515245 + 12345) {
        dl_iterate_phdr(callback, &bits);
        __atomic_add_fetch(&in_callbacks, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

static void *walk(void *unused)
{
    for (unsigned int bits = 7; !both_went_on(); bits = bits * 1103515245 + 12345) {
        use(12, bits >> 8);
        __atomic_add_fetch(&outside, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[2];

    alarm(60);
    start(&threads[0], iterate, NULL);
    start(&threads[1], walk, NULL);
    join(threads[0]);
    join(threads[1]);
    return 0;
}

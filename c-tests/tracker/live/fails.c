/*
 * A preloaded library: in the process that kref-track has forked, its judge, the Nth allocation of memory fails, and all
 * that come later. N is FAILS_AT.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long left = -1;
static pid_t first;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAILS_AT");

    if (at && !strcmp(program_invocation_short_name, "kref-track")) {
        left = atol(at);
        first = getpid();
    }
}

static int fails(void)
{
    return left >= 0 && getpid() != first && __atomic_sub_fetch(&left, left > 0, __ATOMIC_RELAXED) == 0;
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

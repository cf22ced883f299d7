/*
 * The default handler prints one line on standard error for each kind of violation and calling
 * address: the violation, its meaning, and the caller as module+offset. It does not allocate, keeps
 * errno, and may be called in a signal handler.
 *
 * without: asan, which has an allocator of its own
 */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <errno.h>
#include <signal.h>

static int stderr_pipe[2];
static struct told told;
static struct kref kref;
static int allocations;

/* Replaces libc's malloc(), and counts the allocations that libkref causes. */
extern void *__libc_malloc(size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

static __attribute__((noinline)) void misuse(int count)
{
    kref_count_set(&kref.refcount, count);
    kref_get(&kref);
    __asm__ volatile("");
}

/* The text that was written since the last call. */
static const char *written(void)
{
    static char text[4096];
    ssize_t length = read(stderr_pipe[0], text, sizeof text - 1);

    text[length > 0 ? length : 0] = 0;
    return text;
}

static void on_signal(int number)
{
    (void)number;
    misuse(KREF_SATURATED);
}

/* The line names the module, and the offset in it: one byte before the caller's address. */
static void check_place(const char *line)
{
    const char *plus = strrchr(line, '+');
    Dl_info info;
    char *base, *call;

    kref_set_violation_handler(remember, &told);
    misuse(0);
    kref_set_violation_handler(NULL, NULL);
    call = (char *)told.last.caller - 1;
    CHECK(dladdr(call, &info));
    base = ((unsigned char *)info.dli_fbase)[16] == 2 ? NULL : info.dli_fbase;
    CHECK(plus && strtoul(plus + 1, NULL, 16) == (unsigned long)(call - base));
    CHECK(strstr(line, strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1
                                                    : info.dli_fname));
}

int main(void)
{
    const char *text;
    int before;

    CHECK(!pipe2(stderr_pipe, O_NONBLOCK) && dup2(stderr_pipe[1], 2) == 2);
    misuse(1);
    CHECK(!*written());

    before = allocations;
    errno = 4711;
    misuse(0);
    CHECK(errno == 4711 && allocations == before);
    text = written();
    CHECK(lines(text) == 1);
    CHECK(!strncmp(text, "kref: get on a count of zero: the object is already being freed", 63));
    check_place(text);

    misuse(0); /* the same kind at the same place: printed already */
    CHECK(!*written());
    misuse(KREF_MAX); /* another kind at the same place */
    CHECK(lines(written()) == 1);
    kref_get(&kref); /* the count is saturated now, and the place is another one */
    text = written();
    CHECK(lines(text) == 1 && strstr(text, "saturated"));

    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR && !raise(SIGUSR1));
    CHECK(lines(written()) == 1);
    CHECK(allocations == before);

    close(2); /* the write fails, which changes neither errno nor anything else */
    errno = 4711;
    kref_get(&kref);
    CHECK(errno == 4711);
    return 0;
}

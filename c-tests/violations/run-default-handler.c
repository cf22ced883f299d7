/*
 * The default handler prints one line on standard error for each kind of violation and calling
 * address: the violation, its meaning, and the caller as module+offset. It does not allocate, keeps
 * errno, and may be called in a signal handler.
 *
 * without: asan, which has an allocator of its own
 * without: musl, whose malloc() has no other name
 */
#define _GNU_SOURCE
#include "number_line.h"

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

static void never_called(struct kref *released)
{
    (void)released;
    CHECK(!"a misused count was released");
}

static __attribute__((noinline)) void misuse(int stored)
{
    kref.refcount.refs = stored;
    kref_get(&kref);
    __asm__ volatile("");
}

static __attribute__((noinline)) void misuse_by_put(void)
{
    kref.refcount.refs = RELEASED;
    kref_put(&kref, never_called);
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
    misuse(SATURATED);
}

/* The line names the module, and the offset in it: one byte before the caller's address. */
static void check_place(const char *line)
{
    const char *plus = strstr(line, "called from "), *end = plus ? strstr(plus, ", perhaps from ") : NULL;
    Dl_info info;
    char *base, *call;

    CHECK(plus);
    for (end = end ? end : plus + strlen(plus); end > plus && *end != '+'; end--)
        ;
    plus = end;
    kref_set_violation_handler(remember, &told);
    misuse(RELEASED);
    kref_set_violation_handler(NULL, NULL);
    call = (char *)told.last.caller - 1;
    CHECK(dladdr(call, &info));
    base = ((unsigned char *)info.dli_fbase)[16] == 2 ? NULL : info.dli_fbase;
    CHECK(strtoul(plus + 1, NULL, 16) == (unsigned long)(call - base));
    CHECK(strstr(line, strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1
                                                    : info.dli_fname));
}

int main(void)
{
    const char *text;
    int before;

    CHECK(!pipe2(stderr_pipe, O_NONBLOCK) && dup2(stderr_pipe[1], 2) == 2);
    misuse(ONE_REFERENCE);
    CHECK(!*written());
    /* The library allocates for a handler when it hears of it for the first time, and not again. */
    kref_set_violation_handler(remember, &told);
    kref_set_violation_handler(NULL, NULL);

    before = allocations;
    errno = 4711;
    misuse(RELEASED);
    CHECK(errno == 4711 && allocations == before);
    text = written();
    CHECK(lines(text) == 1);
    CHECK(!strncmp(text, "kref: get on a count of zero: the object is already being released", 66));
    check_place(text);

    misuse(RELEASED); /* the same kind at the same place: printed already */
    CHECK(!*written());
    misuse(FULL); /* another kind at the same place */
    text = written();
    CHECK(lines(text) == 1 && strstr(text, "overflow"));
    misuse(NEVER_INITIALISED); /* and another */
    text = written();
    CHECK(lines(text) == 1 && strstr(text, "was never initialised"));
    kref_get(&kref); /* the count is saturated now, and the place is another one */
    text = written();
    CHECK(lines(text) == 1 && strstr(text, "saturated"));

    misuse_by_put();
    text = written();
    CHECK(lines(text) == 1);
    CHECK(!strncmp(text, "kref: put on a count of zero: more references given back than taken", 67));

    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR && !raise(SIGUSR1));
    CHECK(lines(written()) == 1);
    CHECK(allocations == before);

    close(2); /* the write fails, which changes neither errno nor anything else */
    errno = 4711;
    kref_get(&kref);
    CHECK(errno == 4711);
    return 0;
}

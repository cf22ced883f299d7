/* For every C test: CHECK, a limit on its time, and a violation handler that counts the reports. */
#ifndef CHECK_H
#define CHECK_H

#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ends the program at once, so that a signal handler can check, too, and other threads stop. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(STDERR_FILENO, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* A test that hangs is killed, and so fails. */
__attribute__((constructor)) static void limit_time(void)
{
    alarm(300);
}

/* The number of violations that were reported to remember(), and the last one. */
struct told {
    int times;
    struct kref_violation last;
};

__attribute__((unused)) static void remember(const struct kref_violation *violation, void *context)
{
    struct told *told = (struct told *)context;

    told->times++;
    told->last = *violation;
}

__attribute__((unused)) static void start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    CHECK(pthread_create(thread, NULL, body, arg) == 0);
}

__attribute__((unused)) static void join(pthread_t thread)
{
    CHECK(pthread_join(thread, NULL) == 0);
}

/* The size of a stack for which no machine has memory. musl refuses more than a quarter of all addresses. */
#define IMPOSSIBLE_STACK ((~(size_t)0 >> (sizeof(size_t) > 4 ? 2 : 0)) & ~(size_t)0xfffff)

__attribute__((unused)) static int lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

#endif

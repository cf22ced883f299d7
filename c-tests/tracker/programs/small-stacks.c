/*
 * Preloaded: a thread gets the smallest stack unless the program asks for another size, and an alternate stack is not
 * larger than what the kernel pushes and 6 KiB.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

int pthread_create(pthread_t *thread, const pthread_attr_t *asked, void *(*body)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    pthread_attr_t small;
    int error;

    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (asked)
        return real(thread, asked, body, arg);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
    error = real(thread, &small, body, arg);
    pthread_attr_destroy(&small);
    return error;
}

int sigaltstack(const stack_t *asked, stack_t *old)
{
    int (*real)(const stack_t *, stack_t *);
    unsigned long pushed = getauxval(AT_MINSIGSTKSZ), most = (pushed > 2048 ? pushed : 2048) + 6 * 1024;
    stack_t small;

    *(void **)&real = dlsym(RTLD_NEXT, "sigaltstack");
    if (!asked || (asked->ss_flags & SS_DISABLE) || asked->ss_size <= most)
        return real(asked, old);
    small = *asked;
    small.ss_size = most;
    return real(&small, old);
}

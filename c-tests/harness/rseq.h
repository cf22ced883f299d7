/*
 * The restartable sequences that glibc, or with musl libkref, has registered for a thread, for tests that
 * unregister or examine them. HAS_RSEQ is defined where that is possible.
 */
#ifndef TEST_RSEQ_H
#define TEST_RSEQ_H

#include "check.h"

#if (defined __x86_64__ || defined __aarch64__ || defined __riscv) && defined __LP64__
#if defined __has_include
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#ifdef RSEQ_SIG /* glibc has sequences on this processor */
#define HAS_RSEQ 1
#endif
#endif
#endif
#endif

#if defined __x86_64__ && defined __LP64__ && !defined __GLIBC__ /* musl */
#define HAS_RSEQ 1
#define RSEQ_SIG 0x53053053
#define RSEQ_FLAG_UNREGISTER 1
#define __rseq_size 32u
#endif

#ifdef HAS_RSEQ

#include <sys/syscall.h>

/*
 * The signature that stands before each abort handler. It is a variable, because a constant would
 * be part of the test's own instructions, and the test would take what follows for an abort
 * handler.
 */
__attribute__((unused)) static const volatile unsigned int abort_mark = RSEQ_SIG;

/* The struct rseq of the calling thread. */
__attribute__((unused)) static char *rseq_area(void)
{
#ifdef __GLIBC__
    return (char *)__builtin_thread_pointer() + __rseq_offset;
#else
    pthread_key_t key;
    char *area = NULL;

    kref_rseq_available(); /* registers the thread */
    /* No test that uses this function has another thread-specific value. */
    for (key = 0; !area && key < PTHREAD_KEYS_MAX; key++)
        area = pthread_getspecific(key);
    return area;
#endif
}

/* Unregisters the thread's sequences with RSEQ_FLAG_UNREGISTER, and registers them with 0. The kernel wants the
 * size with which glibc has registered them: what the kernel uses, but at least 32. */
__attribute__((unused)) static void rseq_register(int flags)
{
    unsigned int size = __rseq_size < 32 ? 32 : __rseq_size;

    CHECK(syscall(SYS_rseq, rseq_area(), size, flags, abort_mark) == 0);
    CHECK(kref_rseq_available() == !flags);
}

#endif

#endif

/*
 * The restartable sequences that glibc has registered for a thread, for tests that unregister or
 * examine them. HAS_RSEQ is defined where that is possible.
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
    return (char *)__builtin_thread_pointer() + __rseq_offset;
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

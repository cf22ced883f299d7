/*
 * Replaces libc's syscall(), with which the library calls membarrier(). This one counts the fences,
 * and can leave them out, refuse them, or refuse them until the process registers again: the kernel does
 * so in a process that was restored from a checkpoint.
 */
#ifndef FENCE_H
#define FENCE_H

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define PRIVATE_EXPEDITED_RSEQ (1 << 7)
#define REGISTER_PRIVATE_EXPEDITED_RSEQ (1 << 8)

enum fences { FENCES, NO_FENCES, REFUSED, UNREGISTERED };

/* Not every program uses both. */
#ifdef WITHOUT_FENCE
__attribute__((unused)) static enum fences fences = NO_FENCES;
#else
__attribute__((unused)) static enum fences fences = FENCES;
#endif
__attribute__((unused)) static unsigned long fenced;

#if defined __x86_64__ || defined __aarch64__ || defined __riscv
/* On other processors the library never calls membarrier(). */

/* Does the work of libc's syscall(). */
static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;

#if defined __x86_64__
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    result = x0;
#else
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;

    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    result = a0;
#endif
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    int i;

    va_start(list, number);
    for (i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_membarrier) {
        enum fences now = __atomic_load_n(&fences, __ATOMIC_RELAXED);

        if (now == UNREGISTERED && (int)arguments[0] == REGISTER_PRIVATE_EXPEDITED_RSEQ)
            __atomic_store_n(&fences, now = FENCES, __ATOMIC_RELAXED);
        if (now == REFUSED || now == UNREGISTERED) {
            errno = EPERM;
            return -1;
        }
        if ((int)arguments[0] == PRIVATE_EXPEDITED_RSEQ) {
            __atomic_fetch_add(&fenced, 1, __ATOMIC_RELAXED);
            if (now == NO_FENCES)
                return 0;
        }
    }
    return system_call(number, arguments[0], arguments[1], arguments[2], arguments[3],
                       arguments[4], arguments[5]);
}

#endif

#endif

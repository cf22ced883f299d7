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

#ifdef __x86_64__ /* on other processors the library never calls membarrier() */

/* Does the work of libc's syscall(). */
static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
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

/* For tests of the caller in a violation's report: each misuse is in a function of its own. */
#ifndef MISUSE_H
#define MISUSE_H

#include "check.h"

#define NOINLINE __attribute__((noinline))

/* gcc moves cold code out of its function. Here the caller's address must lie in the function. */
#ifndef __clang__
#pragma GCC optimize("no-reorder-blocks-and-partition")
#endif

/* No function that misuses is longer than this, in bytes of code, with any compiler. */
#define LONGEST 1024

#define OPERATION(name, call)                                                                      \
    static NOINLINE void name(void)                                                                \
    {                                                                                              \
        call;                                                                                      \
        __asm__ volatile(""); /* so the call is no jump, but returns here */                       \
    }

/* Whether the address is in the function that misuses, and not in a function of libkref. */
static int is_in(const void *caller, void (*function)(void))
{
    return (size_t)caller > (size_t)function && (size_t)caller < (size_t)function + LONGEST;
}

#endif

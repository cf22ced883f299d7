/* For tests that misuse counts in functions of their own, and want to hear where it was. */
#ifndef MISUSE_H
#define MISUSE_H

#include "check.h"

#define NOINLINE __attribute__((noinline))

/* gcc puts cold code in a place of its own; here the caller must be found in its function. */
#ifndef __clang__
#pragma GCC optimize("no-reorder-blocks-and-partition")
#endif

/* More than any of the functions below is long, in any of the ways to build it. */
#define LONGEST 1024

#define OPERATION(name, call)                                                                      \
    static NOINLINE void name(void)                                                                \
    {                                                                                              \
        call;                                                                                      \
        __asm__ volatile(""); /* the call is not a jump: it returns here */                        \
    }

/* An out-of-line function of libkref's, or one that its inlined forms call, is not the caller. */
static int is_in(const void *caller, void (*function)(void))
{
    return (size_t)caller > (size_t)function && (size_t)caller < (size_t)function + LONGEST;
}

#endif

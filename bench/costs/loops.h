/*
 * Shared by all files of loops. A loop does its operation n times, and any number of threads may run
 * the loop at once, all on the same object. A loop counts by `for (; n; n--)`: of
 * `while (n--)` gcc makes a decrement between a put's `lock sub` and its `je`.
 */
#ifndef LOOPS_H
#define LOOPS_H

#include <kref.h>
#include <stdlib.h>

/* Makes the compiler forget the value of the pointer and the contents of memory, so that it neither
 * drops an operation nor joins two of them. rust.rs has the same. */
#define FORGET(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

/* 128: a cache line of 64 bytes, and the neighbouring line, which the prefetcher loads with it. */
#define ALONE _Alignas(128)

/* For objects whose first reference is never put, so that no put is the last. */
static inline void release(struct kref *kref)
{
    (void)kref;
    abort();
}

#endif

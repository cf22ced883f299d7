/*
 * What the loops of all the contenders have in common. Each loop does its operation n times, and may
 * be run by any number of threads, all on the same object.
 */
#ifndef LOOPS_H
#define LOOPS_H

#include <kref.h>
#include <stdlib.h>

/* Where the compiler has to forget what it knows: it may neither drop an operation nor join it with
 * its neighbour. rust.rs has the same. */
#define FORGET(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

/* The line that the cores share, and the one that the prefetcher brings along. */
#define ALONE _Alignas(128)

/* For objects that are held for good, so that a put is never the last. */
static inline void release(struct kref *kref)
{
    (void)kref;
    abort();
}

#endif

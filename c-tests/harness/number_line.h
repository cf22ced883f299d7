/*
 * The number line of a count, written down a second time: tests compare the library with this page. A count
 * of v references is stored as INT_MIN + (v - 1). src/count/mod.rs has the picture.
 */
#ifndef NUMBER_LINE_H
#define NUMBER_LINE_H

#include "check.h"

#define ONE_REFERENCE INT_MIN
#define FULL (-1) /* 2^31 references: one more than is promised */
#define NEVER_INITIALISED 0
#define TRACKED_BEGIN 0x20000000
#define TRACKED_END 0x30000000
#define SATURATED 0x60000000
#define RELEASED INT_MAX

enum zone { IS_ALIVE, IS_NEVER_INITIALISED, IS_TRACKED, IS_SATURATED, IS_RELEASED };

__attribute__((unused)) static enum zone zone_of(int stored)
{
    if (stored < 0)
        return IS_ALIVE;
    if (stored < 1 << 22)
        return IS_NEVER_INITIALISED;
    if (stored > TRACKED_BEGIN + 32 && stored < TRACKED_END)
        return IS_TRACKED;
    return stored > INT_MAX - (1 << 22) ? IS_RELEASED : IS_SATURATED;
}

/*
 * The number of references; 0 for a released object; INT_MIN for memory that was never initialised;
 * KREF_SATURATED.
 */
__attribute__((unused)) static long long references(const struct kref *kref)
{
    int stored = kref->refcount.refs;

    switch (zone_of(stored)) {
    case IS_ALIVE: return (long long)stored - INT_MIN + 1;
    case IS_TRACKED: return (stored - TRACKED_BEGIN) / 64;
    case IS_NEVER_INITIALISED: return INT_MIN;
    case IS_SATURATED: return KREF_SATURATED;
    default: return 0;
    }
}

#endif

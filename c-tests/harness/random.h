/*
 * Random numbers for tests that compare. The seed is the value of KREF_SEED, or else a new one; a
 * test prints its seed when it fails, so that the failure can be had again.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "check.h"

#include <sys/random.h>

static unsigned long long seed, random_state;

static void seed_random(void)
{
    const char *given = getenv("KREF_SEED");

    if (given)
        seed = strtoull(given, NULL, 0);
    else
        CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    random_state = seed | 1;
}

/* xorshift64: the same numbers on every machine. */
static unsigned int draw(unsigned int below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned int)((random_state >> 32) % below);
}

#endif

/*
 * The loops over a table of OBJECTS objects: lookups by id, and replacements. Each table is a file that includes
 * this header and defines the three functions below. Any number of threads may run the loops at once.
 */
#ifndef WALK_H
#define WALK_H

#include "../costs/loops.h"

#include <stdint.h>

/* What a program has in an object, beside its count and what the table needs: 56 bytes with the count. */
struct body {
    char bytes[52];
};

/* Makes an object, puts it into the table, and returns its id. */
static uint64_t create(void);
/* Takes a reference on the object of this id, if it is in the table, and gives the reference back. */
static void look_up(uint64_t id);
/* Takes the object out of the table. The last reference frees it. */
static void discard(uint64_t id);

static ALONE uint64_t ids[OBJECTS];

/* A number below `end`, and the next state of the generator. */
static inline unsigned long draw(uint64_t *random, unsigned long end)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % end;
}

/* The ids are in random order: neighbours in `ids` are anywhere in memory. */
__attribute__((constructor(102))) static void fill(void)
{
    uint64_t random = 1;
    unsigned long i;

    for (i = 0; i < OBJECTS; i++)
        ids[i] = create();
    for (i = OBJECTS; i > 1; i--) {
        unsigned long other = draw(&random, i);
        uint64_t id = ids[i - 1];

        ids[i - 1] = ids[other];
        ids[other] = id;
    }
}

/* Each call begins at another place. */
static unsigned long beginning(void)
{
    static ALONE unsigned long next;

    return __atomic_fetch_add(&next, 0x9e3779b1, __ATOMIC_RELAXED) % OBJECTS;
}

void look(unsigned long n)
{
    unsigned long at = beginning();

    for (; n; n--) {
        look_up(__atomic_load_n(&ids[at], __ATOMIC_RELAXED));
        if (++at == OBJECTS)
            at = 0;
    }
}

/*
 * One operation of `every` replaces an object by a new one. The object is anywhere in the list, so that new objects,
 * which may follow each other in memory, do not follow each other in the list.
 */
void mixed(unsigned long n, unsigned long every)
{
    unsigned long at = beginning(), lookups = every;
    uint64_t random = at;

    for (; n; n--) {
        if (--lookups) {
            look_up(__atomic_load_n(&ids[at], __ATOMIC_RELAXED));
        } else {
            lookups = every;
            discard(__atomic_exchange_n(&ids[draw(&random, OBJECTS)], create(), __ATOMIC_RELAXED));
        }
        if (++at == OBJECTS)
            at = 0;
    }
}

#endif

/*
 * Millions of cells refer to one empty text, and one cell is never cleared. Seen with interned strings.
 * kref-track counts at most 4,000,000 references of an object. Whoever holds more than that may be
 * right, so only the summary says that this object was not judged.
 *
 * found by: nothing
 * said: 1 object had too many references to be tracked any further
 */
#include "check.h"

#define CELLS 4000100

struct text {
    size_t length;
    struct kref kref;
};

static struct text *cells[CELLS];
static struct text *empty;

static void text_release(struct kref *kref)
{
    free(kref_entry(kref, struct text, kref));
}

static struct text *intern(void)
{
    kref_get(&empty->kref); /* BLAME */
    return empty;
}

int main(void)
{
    empty = calloc(1, sizeof *empty);
    CHECK(empty);
    kref_init(&empty->kref);
    for (int i = 0; i < CELLS; i++)
        cells[i] = intern();
    for (int i = 0; i < CELLS; i++) {
#ifndef RIGHT
        if (i == 77777)
            continue;
#endif
        kref_put(&cells[i]->kref, text_release);
    }
    kref_put(&empty->kref, text_release);
    return 0;
}

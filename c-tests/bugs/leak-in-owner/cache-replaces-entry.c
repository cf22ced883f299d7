/*
 * A cache has one place for each key. An insert where another entry is overwrites it, and its reference is
 * lost. Seen in caches whose tests never insert a key twice.
 *
 * found by: leak
 */
#include "check.h"

#define PLACES 8

struct entry {
    int key;
    struct kref kref;
};

static struct entry *cache[PLACES];

static void entry_release(struct kref *kref)
{
    free(kref_entry(kref, struct entry, kref));
}

static void cache_insert(struct entry *entry)
{
    struct entry **place = &cache[entry->key % PLACES];

#ifdef RIGHT
    if (*place)
        kref_put(&(*place)->kref, entry_release); /* FIX */
#endif
    kref_get(&entry->kref); /* BLAME */
    *place = entry;
}

static void cache_clear(void)
{
    for (int i = 0; i < PLACES; i++) {
        if (cache[i])
            kref_put(&cache[i]->kref, entry_release);
        cache[i] = NULL;
    }
}

int main(void)
{
    for (int key = 0; key < PLACES + 3; key++) {
        struct entry *entry = calloc(1, sizeof *entry);

        CHECK(entry);
        kref_init(&entry->kref);
        entry->key = key;
        cache_insert(entry);
        kref_put(&entry->kref, entry_release);
    }
    cache_clear();
    return 0;
}

/*
 * Inserting an entry takes a reference for the table. Removing it unlinks the entry but does not
 * put the reference. Seen in hash tables and lists whose remove function was written for uncounted
 * entries.
 *
 * found by: leak
 */
#include "check.h"

struct entry {
    char key[16];
    struct kref kref;
    struct entry *next;
};

static struct entry *table;

static void entry_release(struct kref *kref)
{
    free(kref_entry(kref, struct entry, kref));
}

static void table_insert(struct entry *entry)
{
    kref_get(&entry->kref); /* BLAME */
    entry->next = table;
    table = entry;
}

static void table_remove(struct entry *entry)
{
    struct entry **at = &table;

    while (*at && *at != entry)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = entry->next;
#ifdef RIGHT
    kref_put(&entry->kref, entry_release); /* FIX */
#endif
}

int main(void)
{
    struct entry *entries[3];
    int i;

    for (i = 0; i < 3; i++) {
        entries[i] = calloc(1, sizeof *entries[i]);
        CHECK(entries[i]);
        kref_init(&entries[i]->kref);
        table_insert(entries[i]);
    }
    for (i = 0; i < 3; i++) {
        table_remove(entries[i]);
        kref_put(&entries[i]->kref, entry_release);
    }
    CHECK(!table);
    return 0;
}

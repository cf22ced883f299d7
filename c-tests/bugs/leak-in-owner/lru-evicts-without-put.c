/*
 * When a file is closed, the LRU list takes a reference on the file's entry, and in the next line the file gives its
 * own reference back. When the list is full, it overwrites its oldest place without giving that reference back. There
 * are only three entries, and each has many references. Modelled on a kernel's cache of directory entries.
 *
 * found by: leak
 */
#include "check.h"

enum { ENTRIES = 3, FILES = 600, PLACES = 4 };

struct entry {
    struct kref kref;
};

struct file {
    struct entry *entry;
};

static struct entry *entries[ENTRIES], *lru[PLACES];
static unsigned next_place;

static void entry_release(struct kref *kref)
{
    free(kref_entry(kref, struct entry, kref));
}

static void lru_add(struct entry *entry)
{
    struct entry **place = &lru[next_place++ % PLACES];

#ifdef RIGHT
    if (*place)
        kref_put(&(*place)->kref, entry_release); /* FIX */
#endif
    kref_get(&entry->kref); /* BLAME */
    *place = entry;
}

static void file_open(struct file *file, int number)
{
    file->entry = entries[number % ENTRIES];
    kref_get(&file->entry->kref);
}

static void file_close(struct file *file)
{
    lru_add(file->entry);
    kref_put(&file->entry->kref, entry_release);
}

int main(void)
{
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = calloc(1, sizeof *entries[i]);
        CHECK(entries[i]);
        kref_init(&entries[i]->kref);
    }
    for (int i = 0; i < FILES; i++) {
        struct file file;

        file_open(&file, i);
        file_close(&file);
    }
#ifdef RIGHT
    for (int i = 0; i < PLACES; i++)
        kref_put(&lru[i]->kref, entry_release);
#endif
    for (int i = 0; i < ENTRIES; i++)
        kref_put(&entries[i]->kref, entry_release);
    return 0;
}

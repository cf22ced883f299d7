/*
 * One function forgets its reference on a database, and with the database leaks all that it owns. The
 * parts were created at several places, so a report that goes by places hides the database among them.
 * Seen in BlueZ's tests of its GATT database.
 *
 * found by: leak
 */
#include "check.h"

enum { PARTS = 40 };

struct part {
    int handle;
    struct kref kref;
};

struct database {
    int handle;
    struct kref kref;
    struct part *parts[PARTS];
    int count;
};

static void part_release(struct kref *kref)
{
    free(kref_entry(kref, struct part, kref));
}

static void database_release(struct kref *kref)
{
    struct database *database = kref_entry(kref, struct database, kref);

    for (int i = 0; i < database->count; i++)
        kref_put(&database->parts[i]->kref, part_release);
    free(database);
}

static struct part *part_new(struct database *database)
{
    struct part *part = calloc(1, sizeof *part);

    CHECK(part);
    kref_init(&part->kref);
    database->parts[database->count++] = part;
    return part;
}

/* Each of these lines is a place of its own. */
#define SERVICE part_new(database)->handle = database->count;
#define SERVICES SERVICE SERVICE SERVICE SERVICE SERVICE SERVICE SERVICE SERVICE

static struct database *database_new(void)
{
    struct database *database = calloc(1, sizeof *database);

    CHECK(database);
    kref_init(&database->kref);
    SERVICES
    SERVICES
    SERVICES
    SERVICES
    SERVICES
    return database;
}

static int lookup(struct database *database, int handle)
{
    kref_get(&database->kref); /* BLAME */
    for (int i = 0; i < database->count; i++) {
        if (database->parts[i]->handle == handle) {
#ifdef RIGHT
            kref_put(&database->kref, database_release); /* FIX */
#endif
            return i;
        }
    }
    kref_put(&database->kref, database_release);
    return -1;
}

int main(void)
{
    struct database *database = database_new();

    CHECK(lookup(database, 1000) == -1);
    CHECK(lookup(database, 3) == 2);
    kref_put(&database->kref, database_release);
    return 0;
}

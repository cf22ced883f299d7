/*
 * A line was copied and not changed. A function holds two directories for a rename; it puts the
 * first twice and the second never. Seen where a function holds two objects of one type.
 * One directory is freed too early and the other leaks. Only the holders' names tell that this put
 * is wrong.
 *
 * found by: holder
 * holder: rename
 */
#include "check.h"

struct directory {
    char name[16];
    struct kref kref;
    int entries;
};

static void directory_release(struct kref *kref)
{
    free(kref_entry(kref, struct directory, kref));
}

static void rename_entry(struct directory *from, struct directory *to)
{
    kref_get_as(&from->kref, "rename");
    kref_get_as(&to->kref, "rename");
    from->entries--;
    to->entries++;
    kref_put_as(&from->kref, directory_release, "rename");
#ifdef RIGHT
    kref_put_as(&to->kref, directory_release, "rename"); /* FIX */
#else
    kref_put_as(&from->kref, directory_release, "rename"); /* BLAME */
#endif
}

int main(void)
{
    struct directory *from = calloc(1, sizeof *from);
    struct directory *to = calloc(1, sizeof *to);

    CHECK(from && to);
    kref_init(&from->kref);
    kref_init(&to->kref);
    rename_entry(from, to);
    kref_put(&from->kref, directory_release);
    kref_put(&to->kref, directory_release);
    return 0;
}

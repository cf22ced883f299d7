/*
 * A path is looked up from the parent to the child. If the child does not exist, the function
 * returns and keeps its reference on the parent. Seen in path walks, and in lookups of a file on a
 * volume.
 *
 * found by: leak
 */
#include "check.h"

struct item {
    char name[16];
    struct kref kref;
    struct item *child;
};

static void item_release(struct kref *kref)
{
    free(kref_entry(kref, struct item, kref));
}

static struct item *item_new(const char *name)
{
    struct item *item = calloc(1, sizeof *item);

    CHECK(item);
    kref_init(&item->kref);
    snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

static struct item *match(struct item *item, const char *name)
{
    if (!item || strcmp(item->name, name) != 0)
        return NULL;
    kref_get(&item->kref); /* BLAME */
    return item;
}

static int exists(struct item *root, const char *volume, const char *file)
{
    struct item *parent = match(root, volume);
    struct item *child = parent ? match(parent->child, file) : NULL;

    if (!child) {
#ifdef RIGHT
        if (parent)                                /* FIX */
            kref_put(&parent->kref, item_release); /* FIX */
#endif
        return 0;
    }
    kref_put(&child->kref, item_release);
    kref_put(&parent->kref, item_release);
    return 1;
}

int main(void)
{
    struct item *root = item_new("data");

    root->child = item_new("log");
    CHECK(exists(root, "data", "log") && !exists(root, "home", "log"));
    CHECK(!exists(root, "data", "tmp"));
    kref_put(&root->child->kref, item_release);
    kref_put(&root->kref, item_release);
    return 0;
}

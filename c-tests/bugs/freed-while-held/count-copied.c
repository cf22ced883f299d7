/*
 * An object is duplicated by memcpy(), and its count with it. Nobody has begun the copy's count,
 * which says that there are two references: the copy is never released. Seen in clone functions.
 *
 * found by: no-object
 */
#include "check.h"

struct style {
    int color, width;
    char name[24];
    struct kref kref;
};

static void style_release(struct kref *kref)
{
    free(kref_entry(kref, struct style, kref));
}

static struct style *style_clone(const struct style *style)
{
    struct style *clone = malloc(sizeof *clone);

    CHECK(clone);
    memcpy(clone, style, sizeof *clone);
#ifdef RIGHT
    kref_init(&clone->kref); /* FIX */
#endif
    return clone;
}

int main(void)
{
    struct style *style = calloc(1, sizeof *style), *clone;

    CHECK(style);
    kref_init(&style->kref);
    kref_get(&style->kref);
    clone = style_clone(style);
    clone->width = 2;
    kref_put(&clone->kref, style_release); /* BLAME */
    kref_put(&style->kref, style_release);
    kref_put(&style->kref, style_release);
    return 0;
}

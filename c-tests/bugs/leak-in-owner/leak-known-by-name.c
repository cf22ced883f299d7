/*
 * All references are taken and put by the same two helper functions, so the lines do not tell them
 * apart. The index does not put its reference when a document is deleted. Seen behind wrappers like
 * object_ref(). Only the holder's name tells which reference is left.
 *
 * found by: leak
 * holder: index
 */
#include "check.h"

struct document {
    char title[16];
    struct kref kref;
};

static void document_release(struct kref *kref)
{
    free(kref_entry(kref, struct document, kref));
}

static struct document *hold(struct document *document, const char *holder)
{
    kref_get_as(&document->kref, holder); /* BLAME */
    return document;
}

static void drop(struct document *document, const char *holder)
{
    kref_put_as(&document->kref, document_release, holder);
}

int main(void)
{
    struct document *document = calloc(1, sizeof *document);

    CHECK(document);
    kref_init(&document->kref);
    hold(document, "index");
    hold(document, "cache");
    hold(document, "viewer");
    drop(document, "viewer");
    drop(document, "cache");
#ifdef RIGHT
    drop(document, "index"); /* FIX */
#endif
    kref_put(&document->kref, document_release);
    return 0;
}

/*
 * The default text is a static object, which KREF_INIT(1) begins and nobody is to release. The
 * lookup lends it without a get, and its caller puts. Seen with shared empty strings. kref-track
 * does not know the object: it began before anything was called. The second put finds the count
 * at zero.
 *
 * found by: put-on-zero
 */
#include "check.h"

struct text {
    int is_static;
    struct kref kref;
    char value[24];
};

static struct text empty = { 1, KREF_INIT(1), "" };
static int released;

static void text_release(struct kref *kref)
{
    struct text *text = kref_entry(kref, struct text, kref);

    if (text->is_static)
        released++;
    else
        free(text);
}

static struct text *text_new(const char *value)
{
    struct text *text;

    if (!*value) {
#ifdef RIGHT
        kref_get(&empty.kref); /* FIX */
#endif
        return &empty;
    }
    text = calloc(1, sizeof *text);
    CHECK(text);
    kref_init(&text->kref);
    strncpy(text->value, value, sizeof text->value - 1);
    return text;
}

static void show(const char *value)
{
    struct text *text = text_new(value);

    CHECK(strlen(text->value) < 24);
    kref_put(&text->kref, text_release); /* BLAME */
}

int main(void)
{
    show("hello");
    show("");
    show("");
    show("there");
#ifdef RIGHT
    CHECK(!released);
#endif
    return 0;
}

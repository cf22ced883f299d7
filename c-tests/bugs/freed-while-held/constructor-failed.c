/*
 * A constructor fails half way and frees the object that it has begun. Nobody else has seen the
 * object, so this is a note and no error. What is wrong with it shows when the release function
 * does more one day.
 *
 * found by: freed-unshared
 */
#include "check.h"

struct font {
    int size;
    struct kref kref;
    void *glyphs;
};

static void font_release(struct kref *kref)
{
    struct font *font = kref_entry(kref, struct font, kref);

    free(font->glyphs);
    free(font);
}

static struct font *font_new(int size)
{
    struct font *font = calloc(1, sizeof *font);

    CHECK(font);
    kref_init(&font->kref);
    font->size = size;
    font->glyphs = size > 100 ? NULL : malloc((size_t)size * 64);
    if (!font->glyphs) {
#ifdef RIGHT
        kref_put(&font->kref, font_release); /* FIX */
#else
        free(font); /* BLAME */
#endif
        return NULL;
    }
    return font;
}

int main(void)
{
    struct font *font = font_new(10);

    CHECK(font && !font_new(1000));
    kref_put(&font->kref, font_release);
    return 0;
}

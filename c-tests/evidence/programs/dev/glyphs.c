/*
 * The glyph cache of a renderer. A font that lacks a character asks the font that it falls back
 * to. A text run keeps its glyphs, the atlas keeps those that the next frame uploads.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { FONTS = 5, CACHE = 90, RUNS = 9, LENGTH = 12, FRAMES = 120, UPLOADS = 16 };

typedef struct _font {
    struct kref ref_count;
    struct _font *fallback;
    unsigned first, last; /* the characters that it has */
} font_t;

typedef struct _glyph {
    struct kref ref_count;
    font_t *font;
    unsigned character;
    unsigned advance, used;
} glyph_t;

typedef struct {
    unsigned length, width;
    glyph_t *glyphs[LENGTH];
} text_run_t;

static font_t *style_fonts[FONTS];
static glyph_t *cache[CACHE], *uploads[UPLOADS], *notdef;
static int upload_count, clock_hand, hits, misses, uploaded;
static text_run_t runs[RUNS];

static void _font_finish(struct kref *ref)
{
    font_t *font = kref_entry(ref, font_t, ref_count);

    if (font->fallback)
        kref_put(&font->fallback->ref_count, _font_finish); /* put: fallback */
    free(font);
}

static font_t *font_reference(font_t *font)
{
    kref_get(&font->ref_count);
    return font;
}

static void font_destroy(font_t *font)
{
    if (font)
        kref_put(&font->ref_count, _font_finish);
}

static void _glyph_finish(struct kref *ref)
{
    glyph_t *glyph = kref_entry(ref, glyph_t, ref_count);

    font_destroy(glyph->font); /* put: glyph's font */
    free(glyph);
}

static glyph_t *glyph_reference(glyph_t *glyph)
{
    kref_get(&glyph->ref_count);
    return glyph;
}

static void glyph_destroy(glyph_t *glyph)
{
    kref_put(&glyph->ref_count, _glyph_finish);
}

static font_t *font_create(unsigned first, unsigned last, font_t *fallback)
{
    font_t *font = calloc(1, sizeof *font);

    if (!font)
        abort();
    kref_init(&font->ref_count); /* get: style */
    font->first = first;
    font->last = last;
    if (fallback)
        font->fallback = font_reference(fallback); /* get: fallback */
    return font;
}

/* The caller has the only reference. */
static glyph_t *_glyph_render(font_t *font, unsigned character)
{
    glyph_t *glyph = calloc(1, sizeof *glyph);

    if (!glyph)
        abort();
    kref_init(&glyph->ref_count);
    glyph->character = character;
    glyph->advance = 5 + character * 7 % 9;
    if (font)
        glyph->font = font_reference(font); /* get: glyph's font */
    return glyph;
}

static void _cache_insert(glyph_t *glyph)
{
    while (cache[clock_hand] && cache[clock_hand]->used) {
        cache[clock_hand]->used = 0;
        clock_hand = (clock_hand + 1) % CACHE;
    }
    if (cache[clock_hand])
        glyph_destroy(cache[clock_hand]); /* put: cache */
    cache[clock_hand] = glyph_reference(glyph); /* get: cache */
    clock_hand = (clock_hand + 1) % CACHE;
}

static void _cache_forget(const font_t *font)
{
    for (int i = 0; i < CACHE; i++) {
        if (!cache[i] || (font && cache[i]->font != font))
            continue;
        glyph_destroy(cache[i]); /* put: cache */
        cache[i] = NULL;
    }
}

static void _atlas_upload(void)
{
    for (int i = 0; i < upload_count; i++)
        glyph_destroy(uploads[i]); /* put: upload */
    uploaded += upload_count;
    upload_count = 0;
}

static void _atlas_add(glyph_t *glyph)
{
    if (upload_count == UPLOADS)
        _atlas_upload();
    uploads[upload_count++] = glyph_reference(glyph); /* get: upload */
}

static glyph_t *font_get_glyph(font_t *font, unsigned character)
{
    glyph_t *glyph;

    for (; font; font = font->fallback) {
        if (character < font->first || character > font->last)
            continue;
        for (int i = 0; i < CACHE; i++)
            if (cache[i] && cache[i]->font == font && cache[i]->character == character) {
                cache[i]->used = 1;
                hits++;
                return glyph_reference(cache[i]);
            }
        misses++;
        glyph = _glyph_render(font, character);
        _cache_insert(glyph);
        _atlas_add(glyph);
        return glyph;
    }
    return glyph_reference(notdef);
}

static unsigned next_random(void)
{
    static unsigned state = 0xbeef;

    return (state = state * 69069 + 5) >> 10;
}

static unsigned measure(font_t *font, unsigned character)
{
    glyph_t *glyph = font_get_glyph(font, character); /* get: measure */
    unsigned advance = glyph->advance;

    glyph_destroy(glyph); /* put: measure */
    return advance;
}

static void run_clear(text_run_t *run)
{
    for (unsigned i = 0; i < run->length; i++)
        glyph_destroy(run->glyphs[i]); /* put: run */
    run->length = run->width = 0;
}

static void run_shape(text_run_t *run, font_t *font, unsigned next, unsigned limit)
{
    run_clear(run);
    while (run->length < LENGTH) {
        glyph_t *glyph = font_get_glyph(font, next++ % 110); /* get: run */

        if (run->width + glyph->advance > limit) {
            glyph_destroy(glyph); /* put: run */
            break;
        }
        run->width += glyph->advance;
        run->glyphs[run->length++] = glyph;
    }
}

/* Another face of the same characters. Runs may still show the old one. */
static void restyle(unsigned i)
{
    font_t *old = style_fonts[i];

    style_fonts[i] = font_create(old->first, old->last, i > 0 ? style_fonts[i - 1] : NULL);
    _cache_forget(old);
    font_destroy(old); /* put: style */
}

int main(void)
{
    unsigned i, width = 0;

    notdef = _glyph_render(NULL, 0); /* get: notdef */
    for (i = 0; i < FONTS; i++)
        style_fonts[i] = font_create(20 * i, 20 * i + 24, i > 0 ? style_fonts[i - 1] : NULL);
    for (i = 0; i < FRAMES; i++) {
        font_t *font = style_fonts[next_random() % FONTS];

        run_shape(&runs[i % RUNS], font, next_random(), 60 + next_random() % 60);
        width += measure(font, next_random() % 100);
        if (i % 4 == 3)
            _atlas_upload();
        if (i % 15 == 14)
            restyle(next_random() % FONTS);
    }
    for (i = 0; i < RUNS; i++)
        run_clear(&runs[i]);
    _atlas_upload();
    _cache_forget(NULL);
    for (i = 0; i < FONTS; i++)
        font_destroy(style_fonts[i]); /* put: style */
    glyph_destroy(notdef); /* put: notdef */
    printf("%d hits, %d misses, %d uploaded, width %u\n", hits, misses, uploaded, width);
    return 0;
}

/*
 * Each sprite takes two images when it is made, its own and its shadow, and gives them back when it is released. The scene
 * is closed without its sprites, so no sprite is ever released. More references are held on the images than on the
 * sprites, and nothing shows where the images' should be given back: it is the scene that forgets.
 * Modelled on scene graphs and document trees, where the leaves' data is what fills the memory.
 *
 * found by: leak
 */
#include "check.h"

enum { SPRITES = 40, IMAGES = 8 };

struct image {
    struct kref kref;
};

struct sprite {
    struct kref kref;
    struct image *image, *shadow;
};

static void image_release(struct kref *kref)
{
    free(kref_entry(kref, struct image, kref));
}

static void sprite_release(struct kref *kref)
{
    struct sprite *sprite = kref_entry(kref, struct sprite, kref);

    kref_put(&sprite->image->kref, image_release);
    kref_put(&sprite->shadow->kref, image_release);
    free(sprite);
}

static struct image *image_load(void)
{
    struct image *image = malloc(sizeof *image);

    CHECK(image);
    kref_init(&image->kref);
    return image;
}

static struct sprite *sprite_new(struct image *image, struct image *shadow)
{
    struct sprite *sprite = malloc(sizeof *sprite);

    CHECK(sprite);
    kref_init(&sprite->kref); /* BLAME */
    kref_get(&image->kref);
    sprite->image = image;
    kref_get(&shadow->kref);
    sprite->shadow = shadow;
    return sprite;
}

static void draw(struct sprite *sprite)
{
    int light, dark;

    kref_get(&sprite->kref);
    light = kref_read(&sprite->image->kref);
    dark = kref_read(&sprite->shadow->kref);
    CHECK(light > 1 && dark > 1);
    kref_put(&sprite->kref, sprite_release);
}

int main(void)
{
    struct image *images[IMAGES];
    struct sprite *scene[SPRITES];

    for (int i = 0; i < IMAGES; i++)
        images[i] = image_load();
    for (int i = 0; i < SPRITES; i++)
        scene[i] = sprite_new(images[i % IMAGES], images[(i + 1) % IMAGES]);
    for (int i = 0; i < SPRITES; i++)
        draw(scene[i]);
    for (int i = 0; i < IMAGES; i++)
        kref_put(&images[i]->kref, image_release);
#ifdef RIGHT
    for (int i = 0; i < SPRITES; i++)
        kref_put(&scene[i]->kref, sprite_release); /* FIX */
#endif
    return 0;
}

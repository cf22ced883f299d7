/*
 * The typed API: image_ref() and image_unref() of KREF_DEFINE, with scopes that give back by
 * themselves, and sprites and undo steps that share images.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPRITES = 30, FRAMES = 60, UNDO = 12 };

struct image {
    struct kref kref;
    int width, height, edits;
};

struct sprite {
    struct kref kref;
    struct image *image;
    int x;
};

static int drawn, images;

static void image_free(struct image *image)
{
    images--;
    free(image);
}

KREF_DEFINE(image, struct image, kref, image_free);

static void sprite_free(struct sprite *sprite)
{
    image_unref(sprite->image); /* put: sprite's image */
    free(sprite);
}

KREF_DEFINE(sprite, struct sprite, kref, sprite_free);

static struct image *undo[UNDO];
static struct sprite *scene[SPRITES];

static struct image *image_new(int width)
{
    struct image *image = malloc(sizeof *image);

    if (!image)
        abort();
    image_ref_init(image); /* get: artist */
    image->width = width;
    image->height = width / 2 + 1;
    image->edits = 0;
    images++;
    return image;
}

static void sprite_place(int i, struct image *image)
{
    struct sprite *sprite = malloc(sizeof *sprite);

    if (!sprite)
        abort();
    sprite_ref_init(sprite); /* get: scene */
    sprite->x = i;
    sprite->image = image_ref(image); /* get: sprite's image */
    if (scene[i])
        sprite_unref(scene[i]); /* put: scene */
    scene[i] = sprite;
}

static void remember(struct image *image, int step)
{
    struct image **place = &undo[step % UNDO];

    if (*place)
        image_unref(*place); /* put: undo */
    *place = image_ref(image); /* get: undo */
}

static void edit(struct image *image, int step)
{
    remember(image, step);
    image->edits++;
}

static void draw(struct sprite *sprite)
{
    struct sprite *shown = sprite_ref(sprite); /* get: drawing */
    struct image *image = image_ref(shown->image); /* get: drawn */

    if (image->width < 4)
        goto out;
    drawn += image->height;
    sprite->x++;
out:
    image_unref(image); /* put: drawn */
    sprite_unref(shown); /* put: drawing */
}

static void frame(int number)
{
    int i;

    for (i = number % 3; i < SPRITES; i += 7)
        if (scene[i])
            draw(scene[i]);
}

int main(void)
{
    int step, i;

    for (step = 0; step < FRAMES; step++) {
        struct image *image = image_new(step % 20);

        sprite_place(step % SPRITES, image);
        sprite_place((step * 7 + 3) % SPRITES, image);
        if (step % 2)
            edit(image, step);
        frame(step);
        image_unref(image); /* put: artist */
    }
    for (i = 0; i < SPRITES; i++)
        sprite_unref(scene[i]); /* put: scene */
    for (i = 0; i < UNDO; i++)
        image_unref(undo[i]); /* put: undo */
    printf("%d drawn, %d images left\n", drawn, images);
    return 0;
}

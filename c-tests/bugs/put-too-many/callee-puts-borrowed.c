/*
 * A function borrows an object, and puts it before it returns. The owner's own put then comes too
 * late. Seen in print, compare and dump functions that were copied from a function that owns its
 * argument. Without the names of holders only the second put is known to be wrong, although the
 * first one is.
 *
 * found by: put-after-release
 */
#include "check.h"

struct image {
    char file[16];
    struct kref kref;
    int width, height;
};

static void image_release(struct kref *kref)
{
    free(kref_entry(kref, struct image, kref));
}

/* Borrows the image. */
static int pixels(struct image *image)
{
    int number = image->width * image->height;

#ifndef RIGHT
    kref_put(&image->kref, image_release); /* FIX */
#endif
    return number;
}

int main(void)
{
    struct image *image = calloc(1, sizeof *image);

    CHECK(image);
    kref_init(&image->kref);
    image->width = 4;
    image->height = 3;
    CHECK(pixels(image) == 12);
    kref_put(&image->kref, image_release); /* BLAME */
    return 0;
}

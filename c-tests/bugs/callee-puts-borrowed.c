/*
 * A function that was lent an object puts it on the way out; the owner's own put comes when it is
 * gone. Met in print, compare and dump functions that were copied from one that does own.
 * Without holders' names only the second put is known to be wrong, not that the first one is.
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

/*
 * Objects of malloc() that begin by an assignment with KREF_INIT(1), and an error path that forgets its
 * reference. Seen in C99 programs. Nothing is called when such an object begins, so kref-track does not
 * know of it, and the summary says that it has tracked no object.
 *
 * found by: nothing
 * said: 0 objects tracked
 */
#include "check.h"

struct image {
    int width;
    struct kref kref;
};

static void image_release(struct kref *kref)
{
    free(kref_entry(kref, struct image, kref));
}

static int draw(struct image *image, int width)
{
    kref_get(&image->kref); /* BLAME */
    if (width > image->width) {
#ifdef RIGHT
        kref_put(&image->kref, image_release); /* FIX */
#endif
        return -1;
    }
    kref_put(&image->kref, image_release);
    return 0;
}

int main(void)
{
    struct image *image = malloc(sizeof *image);

    CHECK(image);
    *image = (struct image){ .width = 4, .kref = KREF_INIT(1) };
    CHECK(draw(image, 3) == 0);
    CHECK(draw(image, 5) == -1);
    kref_put(&image->kref, image_release);
    return 0;
}

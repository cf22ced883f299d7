/*
 * Opening a device initialises its count again instead of taking a reference, so the references of
 * earlier holders are lost. Seen where two people wrote probe and open.
 *
 * found by: init-twice
 */
#include "check.h"

struct camera {
    char name[16];
    struct kref kref;
    int is_open;
};

static void camera_release(struct kref *kref)
{
    free(kref_entry(kref, struct camera, kref));
}

static struct camera *camera_probe(void)
{
    struct camera *camera = calloc(1, sizeof *camera);

    CHECK(camera);
    kref_init(&camera->kref);
    return camera;
}

static void camera_open(struct camera *camera)
{
#ifdef RIGHT
    kref_get(&camera->kref); /* FIX */
#else
    kref_init(&camera->kref); /* BLAME */
#endif
    camera->is_open = 1;
}

static void camera_close(struct camera *camera)
{
    camera->is_open = 0;
    kref_put(&camera->kref, camera_release);
}

int main(void)
{
    struct camera *camera = camera_probe();

    camera_open(camera);
    camera_close(camera);
    kref_put(&camera->kref, camera_release); /* the reference of probe */
    return 0;
}

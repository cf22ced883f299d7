/*
 * Kernel code drops a reference that it knows not to be the last by kref_count_dec(). The path that hands
 * the object over has changed, and now it is the last one: nobody frees the object. Seen in ports.
 *
 * found by: dec-to-zero
 */
#include "check.h"

struct buffer {
    int length;
    struct kref kref;
};

static void buffer_release(struct kref *kref)
{
    free(kref_entry(kref, struct buffer, kref));
}

static void buffer_drop(struct buffer *buffer)
{
#ifdef RIGHT
    kref_put(&buffer->kref, buffer_release); /* FIX */
#else
    kref_count_dec(&buffer->kref.refcount); /* BLAME */
#endif
}

int main(void)
{
    struct buffer *buffer = calloc(1, sizeof *buffer);

    CHECK(buffer);
    kref_init(&buffer->kref);
    kref_get(&buffer->kref);
    buffer_drop(buffer);
    buffer_drop(buffer);
    return 0;
}

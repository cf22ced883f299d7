/*
 * The owner of a buffer frees it, as in the time before buffers were counted. The writer still has
 * its reference. Seen where one of many ways to end was forgotten in a conversion.
 *
 * found by: freed-while-held
 */
#include "check.h"

struct buffer {
    size_t used;
    struct kref kref;
    char data[100];
};

struct writer {
    struct buffer *pending;
};

static void buffer_release(struct kref *kref)
{
    free(kref_entry(kref, struct buffer, kref));
}

static void write_later(struct writer *writer, struct buffer *buffer)
{
    kref_get(&buffer->kref);
    writer->pending = buffer;
}

static void hang_up(struct buffer *buffer)
{
    buffer->used = 0;
#ifdef RIGHT
    kref_put(&buffer->kref, buffer_release); /* FIX */
#else
    free(buffer); /* BLAME */
    buffer = NULL;
#endif
}

int main(void)
{
    struct buffer *buffer = calloc(1, sizeof *buffer);
    struct writer writer = { NULL };

    CHECK(buffer);
    kref_init(&buffer->kref);
    write_later(&writer, buffer);
    hang_up(buffer);
#ifdef RIGHT
    kref_put(&writer.pending->kref, buffer_release);
#endif
    return 0;
}

/*
 * Sending a buffer takes over the caller's reference and puts it, and the caller puts it, too. Seen
 * with functions that consume an argument, and say so only in their manual: sends, submits,
 * replies.
 *
 * found by: put-after-release
 */
#include "check.h"

struct buffer {
    char data[64];
    struct kref kref;
    size_t length;
};

static size_t sent;

static void buffer_release(struct kref *kref)
{
    free(kref_entry(kref, struct buffer, kref));
}

/* Takes over the caller's reference. */
static void send_buffer(struct buffer *buffer)
{
    sent += buffer->length;
    kref_put(&buffer->kref, buffer_release);
}

static void greet(const char *name)
{
    struct buffer *buffer = calloc(1, sizeof *buffer);

    CHECK(buffer);
    kref_init(&buffer->kref);
    snprintf(buffer->data, sizeof buffer->data, "hello %s", name);
    buffer->length = strlen(buffer->data);
    send_buffer(buffer);
#ifndef RIGHT
    kref_put(&buffer->kref, buffer_release); /* FIX */ /* BLAME */
#endif
}

int main(void)
{
    greet("world");
    CHECK(sent == 11);
    return 0;
}

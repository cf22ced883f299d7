/*
 * A reset function sets the whole object to zero, with the count in it, while others hold references. Seen
 * where memset() was right until the object was counted. The next put finds a count that was never
 * initialised.
 *
 * found by: overwritten
 */
#include "check.h"

struct stream {
    int position;
    struct kref kref;
};

static void stream_release(struct kref *kref)
{
    free(kref_entry(kref, struct stream, kref));
}

static void stream_reset(struct stream *stream)
{
#ifdef RIGHT
    stream->position = 0; /* FIX */
#else
    memset(stream, 0, sizeof *stream);
#endif
}

int main(void)
{
    struct stream *stream = calloc(1, sizeof *stream);

    CHECK(stream);
    kref_init(&stream->kref);
    kref_get(&stream->kref);
    stream_reset(stream);
    kref_put(&stream->kref, stream_release); /* BLAME */
#ifdef RIGHT
    kref_put(&stream->kref, stream_release);
#endif
    return 0;
}

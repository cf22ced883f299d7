/*
 * Both halves of a stream use one connection, and each half puts it when the half is closed, but
 * only one reference was taken. Seen with full-duplex sockets, pipes and paired file descriptors.
 *
 * found by: put-after-release
 */
#include "check.h"

struct connection {
    char peer[16];
    struct kref kref;
};

struct stream {
    struct connection *reader, *writer;
};

static void connection_release(struct kref *kref)
{
    free(kref_entry(kref, struct connection, kref));
}

static void stream_open(struct stream *stream, struct connection *connection)
{
    stream->reader = connection; /* takes over the caller's reference */
    stream->writer = connection;
#ifdef RIGHT
    kref_get(&stream->writer->kref); /* FIX */
#endif
}

static void reader_close(struct stream *stream)
{
    kref_put(&stream->reader->kref, connection_release);
    stream->reader = NULL;
}

static void writer_close(struct stream *stream)
{
    kref_put(&stream->writer->kref, connection_release); /* BLAME */
    stream->writer = NULL;
}

int main(void)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct stream stream;

    CHECK(connection);
    kref_init(&connection->kref);
    stream_open(&stream, connection);
    reader_close(&stream);
    writer_close(&stream);
    return 0;
}

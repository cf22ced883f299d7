/*
 * A media pipeline. A camera's chunks are split into frames, which go to a display and, together with sound, to a
 * recorder. The recorder is taken out and put back while the pipeline plays. pad_push() and the chain functions take
 * over the caller's reference on the buffer.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME = 48, BLOCK = 160, QUEUE = 5, CHUNKS = 500 };

typedef enum { FLOW_OK, FLOW_NOT_LINKED, FLOW_OVERRUN } FlowReturn;

typedef struct {
    struct kref refcount;
    unsigned char data[BLOCK];
} Memory;

typedef struct {
    struct kref refcount;
    Memory *memory;
    int offset, size;
} Buffer;

typedef struct _Pad {
    struct kref refcount;
    struct _Element *parent; /* not counted: an element outlives its pads */
    struct _Pad *peer;
    FlowReturn (*chain)(struct _Pad *pad, Buffer *buffer);
} Pad;

typedef struct _Element {
    Pad *sinks[2], *srcs[2];
    Buffer *pending[2]; /* less than a frame, or what waits for the other input */
    long bytes;
} Element;

static Element camera, parser, tee, queue, display, mic, muxer, recorder;

static Buffer *ring[QUEUE], *last_sample;
static int used, overruns;

KREF_DEFINE(memory, Memory, refcount, free);
KREF_DEFINE(pad, Pad, refcount, free);

static void buffer_finalize(Buffer *buffer)
{
    memory_unref(buffer->memory); /* put: memory */
    free(buffer);
}

KREF_DEFINE(buffer, Buffer, refcount, buffer_finalize);

static Buffer *buffer_wrap(Memory *memory, int offset, int size)
{
    Buffer *buffer = malloc(sizeof *buffer);

    buffer_ref_init(buffer); /* get: flow */
    buffer->memory = memory;
    buffer->offset = offset;
    buffer->size = size;
    return buffer;
}

static Buffer *buffer_new(int size)
{
    Memory *memory = calloc(1, sizeof *memory);

    memory_ref_init(memory); /* get: memory */
    return buffer_wrap(memory, 0, size);
}

static Buffer *buffer_region(const Buffer *whole, int offset, int size)
{
    Memory *memory = memory_ref(whole->memory); /* get: memory */

    return buffer_wrap(memory, whole->offset + offset, size);
}

/* Gives back both. */
static Buffer *buffer_append(Buffer *first, Buffer *second)
{
    Buffer *buffer = buffer_new(first->size + second->size);
    unsigned char *data = buffer->memory->data;

    memcpy(data, first->memory->data + first->offset, first->size);
    memcpy(data + first->size, second->memory->data + second->offset, second->size);
    buffer_unref(first); /* put: flow */
    buffer_unref(second); /* put: flow */
    return buffer;
}

static void pad_link(Pad *src, Pad *sink)
{
    src->peer = pad_ref(sink); /* get: peer */
    sink->peer = pad_ref(src); /* get: peer */
}

static void pad_unlink(Pad *src)
{
    Pad *sink = src->peer;

    src->peer = sink->peer = NULL;
    pad_unref(sink); /* put: peer */
    pad_unref(src); /* put: peer */
}

static FlowReturn pad_push(Pad *src, Buffer *buffer)
{
    Pad *peer = pad_ref(src->peer); /* get: pushing */
    FlowReturn ret;

    if (!peer) {
        buffer_unref(buffer); /* put: flow */
        return FLOW_NOT_LINKED;
    }
    ret = peer->chain(peer, buffer);
    pad_unref(peer); /* put: pushing */
    return ret;
}

static FlowReturn parser_chain(Pad *pad, Buffer *buffer)
{
    Element *self = pad->parent;
    FlowReturn ret = FLOW_OK;
    int at;

    if (self->pending[0])
        buffer = buffer_append(self->pending[0], buffer);
    self->pending[0] = NULL;
    for (at = 0; ret == FLOW_OK && at + FRAME <= buffer->size; at += FRAME)
        ret = pad_push(self->srcs[0], buffer_region(buffer, at, FRAME));
    if (ret == FLOW_OK && at < buffer->size)
        self->pending[0] = buffer_region(buffer, at, buffer->size - at);
    buffer_unref(buffer); /* put: flow */
    return ret;
}

static FlowReturn tee_chain(Pad *pad, Buffer *buffer)
{
    FlowReturn ret = pad_push(pad->parent->srcs[0], buffer_ref(buffer)); /* get: flow */

    pad_push(pad->parent->srcs[1], buffer);
    return ret;
}

static FlowReturn muxer_chain(Pad *pad, Buffer *buffer)
{
    Element *self = pad->parent;
    int i = pad == self->sinks[1];

    if (self->pending[i])
        buffer_unref(self->pending[i]); /* put: flow */
    self->pending[i] = buffer;
    if (!self->pending[!i])
        return FLOW_OK;
    buffer = buffer_append(self->pending[0], self->pending[1]);
    self->pending[0] = self->pending[1] = NULL;
    return pad_push(self->srcs[0], buffer);
}

static FlowReturn recorder_chain(Pad *pad, Buffer *buffer)
{
    pad->parent->bytes += buffer->size;
    buffer_unref(buffer); /* put: flow */
    return FLOW_OK;
}

static FlowReturn queue_chain(Pad *pad, Buffer *buffer)
{
    if (used == QUEUE) {
        overruns++;
        buffer_unref(buffer); /* put: flow */
        return FLOW_OVERRUN;
    }
    pad->parent->bytes += buffer->size;
    ring[used++] = buffer;
    return FLOW_OK;
}

static void queue_run(int most)
{
    for (; used > 0 && most > 0; most--) {
        Buffer *buffer = ring[0];

        memmove(ring, ring + 1, --used * sizeof *ring);
        pad_push(queue.srcs[0], buffer);
    }
}

static void queue_flush(void)
{
    int i;

    for (i = 0; i < used; i++)
        buffer_unref(ring[i]); /* put: flow */
    used = 0;
}

static FlowReturn display_chain(Pad *pad, Buffer *buffer)
{
    pad->parent->bytes += buffer->size;
    if (last_sample)
        buffer_unref(last_sample); /* put: last sample */
    last_sample = buffer_ref(buffer); /* get: last sample */
    buffer_unref(buffer); /* put: flow */
    return FLOW_OK;
}

static Pad *pad_new(Element *parent, FlowReturn (*chain)(Pad *, Buffer *))
{
    Pad *pad = calloc(1, sizeof *pad);

    pad_ref_init(pad); /* get: element's pad */
    pad->parent = parent;
    pad->chain = chain;
    return pad;
}

static void element_link(Element *from, int src, Element *to, int sink, FlowReturn (*chain)(Pad *, Buffer *))
{
    from->srcs[src] = pad_new(from, NULL);
    to->sinks[sink] = pad_new(to, chain);
    pad_link(from->srcs[src], to->sinks[sink]);
}

static void element_dispose(Element *self)
{
    int i;

    for (i = 0; i < 2; i++) {
        if (self->srcs[i] && self->srcs[i]->peer)
            pad_unlink(self->srcs[i]);
        if (self->pending[i])
            buffer_unref(self->pending[i]); /* put: flow */
        if (self->sinks[i])
            pad_unref(self->sinks[i]); /* put: element's pad */
        if (self->srcs[i])
            pad_unref(self->srcs[i]); /* put: element's pad */
    }
}

static unsigned int chance(unsigned int n)
{
    static unsigned int seed = 90210;

    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

int main(void)
{
    Element *all[] = { &camera, &parser, &tee, &queue, &display, &mic, &muxer, &recorder };
    int i;

    element_link(&camera, 0, &parser, 0, parser_chain);
    element_link(&parser, 0, &tee, 0, tee_chain);
    element_link(&tee, 0, &queue, 0, queue_chain);
    element_link(&queue, 0, &display, 0, display_chain);
    element_link(&tee, 1, &muxer, 0, muxer_chain);
    element_link(&mic, 0, &muxer, 1, muxer_chain);
    element_link(&muxer, 0, &recorder, 0, recorder_chain);
    for (i = 0; i < CHUNKS; i++) {
        pad_push(camera.srcs[0], buffer_new(30 + chance(80)));
        if (chance(3))
            pad_push(mic.srcs[0], buffer_new(32));
        queue_run(chance(4));
        if (i % 60 == 40)
            pad_unlink(muxer.srcs[0]);
        if (i % 60 == 50)
            pad_link(muxer.srcs[0], recorder.sinks[0]);
        if (i % 75 == 74)
            queue_flush();
    }
    queue_flush();
    for (i = 0; i < 8; i++)
        element_dispose(all[i]);
    if (last_sample)
        buffer_unref(last_sample); /* put: last sample */
    printf("%ld bytes shown, %ld recorded, %d frames dropped\n", display.bytes, recorder.bytes, overruns);
    return 0;
}

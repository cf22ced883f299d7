/*
 * A graph of audio nodes. Buffers go from node to node and are shared where the graph forks; a
 * delay keeps buffers for later; a mixer writes in place if the buffer is its own.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 16, BLOCKS = 90, DELAY = 4, LINKS = 3, NODES = 5, METERS = 2 };

struct buffer {
    struct kref kref;
    int samples[SAMPLES];
};

struct node {
    struct kref kref;
    struct buffer *(*process)(struct node *node, struct buffer *buffer);
    struct node *outputs[LINKS];
    int count, copies;
    struct buffer *line[DELAY];
    unsigned turn;
};

static struct buffer *peak[METERS];
static long heard;
static int buffers, graph_nodes;

static void buffer_delete(struct kref *kref)
{
    buffers--;
    free(kref_entry(kref, struct buffer, kref));
}

static void buffer_unref(struct buffer *buffer)
{
    kref_put(&buffer->kref, buffer_delete);
}

static struct buffer *buffer_ref(struct buffer *buffer)
{
    kref_get(&buffer->kref);
    return buffer;
}

static struct buffer *buffer_new(void)
{
    struct buffer *buffer = calloc(1, sizeof *buffer);

    if (!buffer)
        abort();
    kref_init(&buffer->kref); /* get: signal */
    buffers++;
    return buffer;
}

static void node_delete(struct kref *kref)
{
    struct node *node = kref_entry(kref, struct node, kref);
    int i;

    for (i = 0; i < node->count; i++)
        kref_put(&node->outputs[i]->kref, node_delete); /* put: link */
    for (i = 0; i < DELAY; i++)
        if (node->line[i])
            buffer_unref(node->line[i]); /* put: delay */
    graph_nodes--;
    free(node);
}

/* Each process function owns its argument, and returns what the caller owns. */

static struct buffer *gain(struct node *node, struct buffer *buffer)
{
    struct buffer *own = buffer;
    int i;

    if (!kref_is_unique(&buffer->kref)) {
        own = buffer_new();
        memcpy(own->samples, buffer->samples, sizeof own->samples);
        buffer_unref(buffer); /* put: signal */
        node->copies++;
    }
    for (i = 0; i < SAMPLES; i++)
        own->samples[i] *= 2;
    return own;
}

static struct buffer *delay(struct node *node, struct buffer *buffer)
{
    struct buffer **place = &node->line[node->turn++ % DELAY], *old = *place;

    *place = buffer_ref(buffer); /* get: delay */
    if (!old)
        return buffer;
    buffer_unref(buffer); /* put: signal */
    buffer_ref(old); /* get: signal */
    buffer_unref(old); /* put: delay */
    return old;
}

static struct buffer *meter(struct node *node, struct buffer *buffer)
{
    struct buffer **most = &peak[node->turn++ % METERS];

    if (!*most || (*most)->samples[0] < buffer->samples[0]) {
        if (*most)
            buffer_unref(*most); /* put: peak */
        *most = buffer_ref(buffer); /* get: peak */
    }
    heard += buffer->samples[SAMPLES - 1];
    return buffer;
}

static void run(struct node *node, struct buffer *buffer)
{
    int i;

    buffer = node->process(node, buffer);
    for (i = 0; i < node->count; i++) {
        buffer_ref(buffer); /* get: signal */
        run(node->outputs[i], buffer);
    }
    buffer_unref(buffer); /* put: signal */
}

static struct node *node_new(struct buffer *(*process)(struct node *, struct buffer *))
{
    struct node *node = calloc(1, sizeof *node);

    if (!node)
        abort();
    kref_init(&node->kref); /* get: patch */
    node->process = process;
    graph_nodes++;
    return node;
}

static void connect(struct node *from, struct node *to)
{
    kref_get(&to->kref); /* get: link */
    from->outputs[from->count++] = to;
}

int main(void)
{
    struct node *nodes[NODES] = { node_new(gain), node_new(delay), node_new(meter), node_new(gain),
                                  node_new(meter) };
    int i, j;

    connect(nodes[0], nodes[1]);
    connect(nodes[0], nodes[2]);
    connect(nodes[1], nodes[3]);
    connect(nodes[3], nodes[4]);
    for (i = 0; i < BLOCKS; i++) {
        struct buffer *buffer = buffer_new();

        for (j = 0; j < SAMPLES; j++)
            buffer->samples[j] = (i * 31 + j * 7) % 101;
        run(nodes[0], buffer);
    }
    for (i = 0; i < METERS; i++)
        buffer_unref(peak[i]); /* put: peak */
    for (i = 0; i < NODES; i++)
        kref_put(&nodes[i]->kref, node_delete); /* put: patch */
    printf("%ld heard, %d nodes, %d buffers\n", heard, graph_nodes, buffers);
    return 0;
}

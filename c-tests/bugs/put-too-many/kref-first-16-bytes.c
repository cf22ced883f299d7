/*
 * A put too many, where the kref is behind a pointer at the start of the object. free() writes over
 * the first 16 bytes of the memory. Seen in objects that begin with the link of a list.
 *
 * found by: put-after-release
 */
#include "check.h"

struct node {
    struct node *next;
    struct kref kref;
    char value[50];
};

static void node_release(struct kref *kref)
{
    free(kref_entry(kref, struct node, kref));
}

static void drop(struct node *node)
{
    kref_put(&node->kref, node_release);
}

int main(void)
{
    struct node *node = calloc(1, sizeof *node);

    CHECK(node);
    kref_init(&node->kref);
    drop(node);
#ifndef RIGHT
    kref_put(&node->kref, node_release); /* BLAME */
#endif
    return 0;
}

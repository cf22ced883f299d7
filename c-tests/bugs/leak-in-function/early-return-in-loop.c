/*
 * Each step of a loop puts the last child and takes a reference on the next one. A search that
 * finds its child returns from within the loop and keeps the reference. Seen in walks over device
 * trees.
 *
 * found by: leak
 */
#include "check.h"

#define CHILDREN 4

struct node {
    char name[16];
    struct kref kref;
    int port;
};

static struct node *children[CHILDREN];

static void node_release(struct kref *kref)
{
    free(kref_entry(kref, struct node, kref));
}

/* Returns the child after index i with a reference, and puts the reference on child i. */
static struct node *next_child(int i)
{
    struct node *next = i + 1 < CHILDREN ? children[i + 1] : NULL;

    if (next)
        kref_get(&next->kref); /* BLAME */
    if (i >= 0)
        kref_put(&children[i]->kref, node_release);
    return next;
}

static int has_port(int port)
{
    struct node *child;
    int i = -1;

    while ((child = next_child(i++)))
        if (child->port == port) {
#ifdef RIGHT
            kref_put(&child->kref, node_release); /* FIX */
#endif
            return 1;
        }
    return 0;
}

int main(void)
{
    int i;

    for (i = 0; i < CHILDREN; i++) {
        children[i] = calloc(1, sizeof *children[i]);
        CHECK(children[i]);
        kref_init(&children[i]->kref);
        children[i]->port = 8 * i;
    }
    CHECK(has_port(16) && !has_port(17));
    for (i = 0; i < CHILDREN; i++) {
        kref_put(&children[i]->kref, node_release);
        children[i] = NULL;
    }
    return 0;
}

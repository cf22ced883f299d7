/* A list's nodes: x_ref() returns its argument, both functions take NULL, and two holders hold a new node. */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
    struct kref kref;
    struct node *next;
};

static struct node *list;

static void node_free(struct node *node)
{
    puts("node freed");
    free(node);
}

KREF_DEFINE(node, struct node, kref, node_free);

/* One reference is the list's, and one the caller's. */
static struct node *node_new(void)
{
    struct node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node_ref_init_n(node, 2);
    node->next = list;
    return list = node;
}

static struct node *list_first(void)
{
    return node_ref(list);
}

int main(void)
{
    struct node *node = node_new();
    struct node *first = list_first();

    node_unref(first);
    node_unref(node);
    puts("out of the list");
    node_unref(list);
    node_unref(NULL);
    return 0;
}

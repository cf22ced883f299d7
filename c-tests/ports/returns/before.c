/* A list's nodes: x_ref() returns its argument, both functions take NULL, and two holders hold a new node. */
#include <stdio.h>
#include <stdlib.h>

struct node {
    int refs;
    struct node *next;
};

static struct node *list;

static void node_free(struct node *node)
{
    puts("node freed");
    free(node);
}

static struct node *node_ref(struct node *node)
{
    if (node)
        __atomic_add_fetch(&node->refs, 1, __ATOMIC_RELAXED);
    return node;
}

static void node_unref(struct node *node)
{
    if (node && !__atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL))
        node_free(node);
}

/* One reference is the list's, and one the caller's. */
static struct node *node_new(void)
{
    struct node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->refs = 2;
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

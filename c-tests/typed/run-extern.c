/*
 * KREF_DECLARE and KREF_DEFINE_EXTERN: a library exports the functions of an opaque type. A declaration that
 * a public header writes by hand is the same.
 */
#include "../harness/check.h"

/* The public header. It includes nothing of libkref. */
struct node;
struct node *node_new(void);
struct node *node_ref(struct node *node);
void node_unref(struct node *node);

/* The header for the library's own files. */
KREF_DECLARE(node, struct node);

static struct node *twice(struct node *node)
{
    KREF_AUTO(node) other = node_ref(node);

    return node_ref(other);
}

static int freed;

/* The library's .c file. */
struct node {
    struct kref kref;
};

static void node_free(struct node *node)
{
    freed++;
    free(node);
}

KREF_DEFINE_EXTERN(node, struct node, kref, node_free);

struct node *node_new(void)
{
    struct node *node = (struct node *)malloc(sizeof *node);

    CHECK(node);
    node_ref_init(node);
    return node;
}

int main(void)
{
    struct node *node = node_new();

    CHECK(twice(node) == node && kref_read(&node->kref) == 2);
    node_unref(node);
    CHECK(node_is_unique(node) && freed == 0);
    node_unref(node);
    CHECK(freed == 1);
    return 0;
}

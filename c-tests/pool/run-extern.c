/*
 * KREF_POOL_DECLARE and KREF_POOL_DEFINE_EXTERN: a library exports the functions of an opaque type, whose objects
 * are in one pool.
 *
 * tools: static
 */
#include "../harness/check.h"

/* The header for the library's own files. */
KREF_POOL_DECLARE(node, struct node);

/* One of these files. */
static uint64_t twice(uint64_t handle)
{
    KREF_AUTO(node) first = node_by_handle(handle);
    struct node *second = node_ref(first);

    node_unref(second);
    return first ? node_handle(first) : 0;
}

static int cleanups;

/* The file with the pool. */
struct node {
    struct kref kref;
    int value;
};

static void node_cleanup(struct node *node)
{
    cleanups += node->value;
}

KREF_POOL_DEFINE_EXTERN_WITH(node, struct node, kref, node_cleanup, KREF_POOL_ZEROED, 1);

int main(void)
{
    struct node *node = node_alloc();
    unsigned int cursor = 0;
    uint64_t handle;

    CHECK(node && node->value == 0);
    CHECK(!node_alloc());
    node_discard(node);
    node = node_alloc();
    CHECK(node);
    node->value = 5;
    node_publish(node);
    handle = node_handle(node);
    CHECK(twice(handle) == handle);
    CHECK(node_next(&cursor) == node && kref_read(&node->kref) == 2);
    node_unref(node);
    node_unref(node);
    CHECK(cleanups == 5);
    CHECK(twice(handle) == 0);
    return 0;
}

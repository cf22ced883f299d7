/*
 * A tree of nodes. A node holds its parent; a parent finds its children by pointers that hold
 * nothing. Open handles and a path cache hold nodes.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FANOUT = 3, CACHED = 8 };

struct node {
    struct kref kref;
    char name[8];
    int depth;
    struct node *parent;
    struct node *children[FANOUT]; /* without references */
};

struct handle {
    struct node *node;
    int reads;
};

static struct node *path_cache[CACHED];
static int alive;

static void node_put(struct node *node);

static void node_release(struct kref *kref)
{
    struct node *node = kref_entry(kref, struct node, kref);
    int i;

    alive--;
    if (node->parent) {
        for (i = 0; i < FANOUT; i++)
            if (node->parent->children[i] == node)
                node->parent->children[i] = NULL;
        node_put(node->parent); /* put: child */
    }
    free(node);
}

static void node_put(struct node *node)
{
    kref_put(&node->kref, node_release);
}

static struct node *node_get(struct node *node)
{
    kref_get(&node->kref);
    return node;
}

/* Returns the child with a reference that the caller owns. Makes it if there is none. */
static struct node *node_child(struct node *parent, int i)
{
    struct node *node = parent->children[i];

    if (node)
        return node_get(node); /* get: walk */
    node = calloc(1, sizeof *node);
    if (!node)
        abort();
    kref_init(&node->kref); /* get: walk */
    alive++;
    node->depth = parent->depth + 1;
    snprintf(node->name, sizeof node->name, "n%d", i);
    node->parent = node_get(parent); /* get: child */
    parent->children[i] = node;
    return node;
}

static struct node *walk(struct node *root, const char *path)
{
    struct node *node = node_get(root); /* get: walk */

    for (; *path; path++) {
        struct node *next = node_child(node, *path - '0');

        node_put(node); /* put: walk */
        node = next;
    }
    return node;
}

static void cache_path(struct node *node, int place)
{
    struct node *old = path_cache[place];

    path_cache[place] = node_get(node); /* get: path cache */
    if (old)
        node_put(old); /* put: path cache */
}

static struct handle *handle_open(struct node *root, const char *path)
{
    struct handle *handle = malloc(sizeof *handle);

    if (!handle)
        abort();
    handle->node = walk(root, path);
    handle->reads = 0;
    return handle;
}

/* The handle has taken over what walk() returned. */
static void handle_close(struct handle *handle)
{
    node_put(handle->node); /* put: walk */
    free(handle);
}

static int depth_of(struct node *root, const char *path)
{
    struct node *node = walk(root, path);
    int depth = node->depth;

    node_put(node); /* put: walk */
    return depth;
}

int main(void)
{
    static const char *const paths[] = { "012",  "0",   "21", "2102", "111",
                                         "1112", "020", "2",  "22",   "01" };
    struct handle *handles[10];
    struct node *root = calloc(1, sizeof *root);
    int i, turn, depths = 0;

    if (!root)
        return 1;
    kref_init(&root->kref); /* get: root */
    alive = 1;
    for (turn = 0; turn < 6; turn++) {
        for (i = 0; i < 10; i++) {
            handles[i] = handle_open(root, paths[(i + turn) % 10]);
            if (i % 2)
                cache_path(handles[i]->node, (i * turn) % CACHED);
            depths += depth_of(root, paths[i]);
        }
        for (i = 0; i < 10; i++)
            handle_close(handles[i]);
    }
    for (i = 0; i < CACHED; i++)
        if (path_cache[i])
            node_put(path_cache[i]); /* put: path cache */
    node_put(root); /* put: root */
    printf("%d alive, %d\n", alive, depths);
    return 0;
}

/*
 * liburcu's lock-free hash table, with objects that are freed a grace period after the last put. A reader may find
 * a count at zero.
 */
#define _LGPL_SOURCE /* the read lock inlined, liburcu at its best */
#include <urcu.h>

#include <urcu/rculfhash.h>

#include "../walk.h"

struct object {
    struct kref kref;
    struct body body;
    uint64_t id;
    struct cds_lfht_node node;
    struct rcu_head rcu;
};

static struct cds_lfht *table;

/* A thread calls enter() before its operations and leave() after them. */
void enter(void)
{
    rcu_register_thread();
}

void leave(void)
{
    rcu_unregister_thread();
}

static void free_it(struct rcu_head *rcu)
{
    free(caa_container_of(rcu, struct object, rcu));
}

static void object_release(struct kref *kref)
{
    call_rcu(&kref_entry(kref, struct object, kref)->rcu, free_it);
}

static inline unsigned long hash(uint64_t id)
{
    return id * 0x9e3779b97f4a7c15u;
}

static int has_id(struct cds_lfht_node *node, const void *id)
{
    return caa_container_of(node, struct object, node)->id == *(const uint64_t *)id;
}

/* Before fill(), whose thread has to be registered, too. */
__attribute__((constructor(101))) static void begin(void)
{
    unsigned long buckets = 1;

    /* As many as objects from the beginning: a thread in the background would make them sooner or later. */
    while (buckets < OBJECTS)
        buckets *= 2;
    table = cds_lfht_new(buckets, buckets, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, NULL);
    if (!table)
        abort();
    enter();
}

/* After fill(). */
__attribute__((constructor(103))) static void end(void)
{
    leave();
}

static uint64_t create(void)
{
    static ALONE uint64_t last_id;
    struct object *object = malloc(sizeof *object);

    if (!object)
        abort();
    kref_init(&object->kref);
    object->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    cds_lfht_node_init(&object->node);
    rcu_read_lock();
    cds_lfht_add(table, hash(object->id), &object->node);
    rcu_read_unlock();
    return object->id;
}

static inline struct object *find(uint64_t id)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(table, hash(id), has_id, &id, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct object, node) : NULL;
}

static inline void look_up(uint64_t id)
{
    struct object *object;

    rcu_read_lock();
    object = find(id);
    if (object && !kref_get_unless_zero(&object->kref))
        object = NULL;
    rcu_read_unlock();
    FORGET(object);
    if (object)
        kref_put(&object->kref, object_release);
}

static void discard(uint64_t id)
{
    struct object *object;

    rcu_read_lock();
    object = find(id);
    if (!object || cds_lfht_del(table, &object->node))
        abort();
    rcu_read_unlock();
    kref_put(&object->kref, object_release);
}

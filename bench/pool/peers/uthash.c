/*
 * uthash under a mutex, or with RWLOCK under a reader-writer lock. The table holds a reference on each object.
 */
#include "../walk.h"

#include <uthash.h>

struct object {
    struct kref kref;
    struct body body;
    uint64_t id;
    UT_hash_handle hh;
};

static void object_release(struct kref *kref)
{
    free(kref);
}

#ifdef RWLOCK
#define LOCK pthread_rwlock_t
#define LOCK_INIT PTHREAD_RWLOCK_INITIALIZER
#define lock_to_read pthread_rwlock_rdlock
#define lock_to_write pthread_rwlock_wrlock
#define unlock pthread_rwlock_unlock
#else
#define LOCK pthread_mutex_t
#define LOCK_INIT PTHREAD_MUTEX_INITIALIZER
#define lock_to_read pthread_mutex_lock
#define lock_to_write pthread_mutex_lock
#define unlock pthread_mutex_unlock
#endif

static ALONE struct {
    LOCK lock;
    uint64_t last_id;
    struct object *objects;
} table = { LOCK_INIT, 0, NULL };

static uint64_t create(void)
{
    struct object *object = malloc(sizeof *object);
    uint64_t id;

    if (!object)
        abort();
    kref_init(&object->kref);
    lock_to_write(&table.lock);
    id = object->id = ++table.last_id;
    HASH_ADD(hh, table.objects, id, sizeof object->id, object);
    unlock(&table.lock);
    return id;
}

static inline void look_up(uint64_t id)
{
    struct object *object;

    lock_to_read(&table.lock);
    HASH_FIND(hh, table.objects, &id, sizeof id, object);
    if (object)
        kref_get(&object->kref);
    unlock(&table.lock);
    FORGET(object);
    if (object)
        kref_put(&object->kref, object_release);
}

static void discard(uint64_t id)
{
    struct object *object;

    lock_to_write(&table.lock);
    HASH_FIND(hh, table.objects, &id, sizeof id, object);
    if (!object)
        abort();
    HASH_DELETE(hh, table.objects, object);
    unlock(&table.lock);
    kref_put(&object->kref, object_release);
}

/*
 * A mutex and an array, as programs have it by hand: an id is a place in the array, and how often the place was
 * used.
 */
#include "../walk.h"

struct object {
    struct kref kref;
    struct body body;
};

static void object_release(struct kref *kref)
{
    free(kref);
}

/* With more places than objects, because each thread replaces an object by a new one before it takes the old one
 * out. */
#define PLACES (OBJECTS + 1024)

static ALONE struct {
    pthread_mutex_t mutex;
    uint32_t used, free; /* places: so many were used; the first free one after that, or 0 */
    struct place {
        struct kref *kref;
        uint32_t uses, next;
    } places[PLACES + 1];
} table = { PTHREAD_MUTEX_INITIALIZER, 0, 0, { { NULL, 0, 0 } } };

static uint64_t create(void)
{
    struct object *object = malloc(sizeof *object);
    uint32_t at;
    uint64_t id;

    if (!object)
        abort();
    kref_init(&object->kref);
    pthread_mutex_lock(&table.mutex);
    at = table.free;
    if (at)
        table.free = table.places[at].next;
    else if ((at = ++table.used) > PLACES)
        abort();
    table.places[at].kref = &object->kref;
    id = (uint64_t)table.places[at].uses << 32 | at;
    pthread_mutex_unlock(&table.mutex);
    return id;
}

/* With the mutex held. */
static inline struct place *find(uint64_t id)
{
    struct place *place = &table.places[(uint32_t)id];

    return place->uses == id >> 32 && place->kref ? place : NULL;
}

static inline void look_up(uint64_t id)
{
    struct place *place;
    struct kref *kref = NULL;

    pthread_mutex_lock(&table.mutex);
    place = find(id);
    if (place) {
        kref = place->kref;
        kref_get(kref);
    }
    pthread_mutex_unlock(&table.mutex);
    FORGET(kref);
    if (kref)
        kref_put(kref, object_release);
}

static void discard(uint64_t id)
{
    struct place *place;
    struct kref *kref;

    pthread_mutex_lock(&table.mutex);
    place = find(id);
    if (!place)
        abort();
    kref = place->kref;
    place->kref = NULL;
    place->uses++;
    place->next = table.free;
    table.free = (uint32_t)id;
    pthread_mutex_unlock(&table.mutex);
    kref_put(kref, object_release);
}

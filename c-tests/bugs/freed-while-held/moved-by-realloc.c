/*
 * An array grows by realloc(), which moves its count with it. The only holder of an array may do
 * that, and the first array is right. The second one is shared: its other holder keeps the old
 * address. Seen where arrays that are copied on write lost the test whether they are shared.
 *
 * found by: moved-while-held
 */
#include "check.h"

struct array {
    size_t used, room;
    struct kref kref;
    int items[];
};

static void array_release(struct kref *kref)
{
    free(kref_entry(kref, struct array, kref));
}

static struct array *array_new(size_t room)
{
    struct array *array = malloc(sizeof *array + room * sizeof array->items[0]);

    CHECK(array);
    array->used = 0;
    array->room = room;
    kref_init(&array->kref);
    return array;
}

static struct array *grow(struct array *array)
{
    size_t room = array->room * 16;

#ifdef RIGHT
    if (!kref_is_unique(&array->kref)) {
        struct array *copy = array_new(room);

        memcpy(copy->items, array->items, array->used * sizeof array->items[0]);
        copy->used = array->used;
        kref_put(&array->kref, array_release);
        return copy;
    }
#endif
    array = realloc(array, sizeof *array + room * sizeof array->items[0]); /* BLAME */
    CHECK(array);
    array->room = room;
    return array;
}

static struct array *push(struct array *array, int item)
{
    if (array->used == array->room)
        array = grow(array);
    array->items[array->used++] = item;
    return array;
}

int main(void)
{
    struct array *alone = array_new(2), *shared = array_new(2), *other = shared;

    for (int i = 0; i < 1000; i++)
        alone = push(alone, i);
    alone = reallocarray(alone, 64, sizeof *alone + alone->room * sizeof alone->items[0]);
    CHECK(alone && kref_is_unique(&alone->kref));
    alone = realloc(alone, sizeof *alone);
    CHECK(alone && kref_is_unique(&alone->kref));
    kref_get(&other->kref);
    for (int i = 0; i < 1000; i++)
        shared = push(shared, i);
    kref_put(&shared->kref, array_release);
#ifdef RIGHT
    kref_put(&other->kref, array_release);
#endif
    kref_put(&alone->kref, array_release);
    return 0;
}

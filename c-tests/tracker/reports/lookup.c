/* A find function puts the last reference, while kref_lookup_mutex() holds the lock. */
#include "../object.h"

static struct object *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct kref *find(void *expired)
{
    struct object *object = table;

    if (!expired)
        return &object->kref;
    table = NULL;
    object_put(object); /* HERE */
    return NULL;
}

int main(void)
{
    struct kref *kref;
    int expired;

    table = object_new();
    kref = kref_lookup_mutex(&lock, find, NULL);
    kref_put(kref, object_release);
    CHECK(!kref_lookup_mutex(&lock, find, &expired));
    return 0;
}

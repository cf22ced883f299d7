/*
 * A lookup takes its reference by kref_get_unless_zero() and then sees that the entry is too old. It
 * returns "not found" and keeps the reference. Seen where an expiry was added to a cache.
 *
 * found by: leak
 */
#include "check.h"

struct name {
    int expires;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name *names[4];

static void name_release(struct kref *kref)
{
    free(kref_entry(kref, struct name, kref));
}

static struct name *name_find(int number, int now)
{
    struct name *name;

    pthread_mutex_lock(&lock);
    name = names[number];
    if (name && !kref_get_unless_zero(&name->kref)) /* BLAME */
        name = NULL;
    pthread_mutex_unlock(&lock);
    if (name && name->expires <= now) {
#ifdef RIGHT
        kref_put(&name->kref, name_release); /* FIX */
#endif
        return NULL;
    }
    return name;
}

int main(void)
{
    for (int i = 0; i < 4; i++) {
        names[i] = calloc(1, sizeof *names[i]);
        CHECK(names[i]);
        kref_init(&names[i]->kref);
        names[i]->expires = 10 * i;
    }
    for (int i = 0; i < 4; i++) {
        struct name *name = name_find(i, 15);

        if (name)
            kref_put(&name->kref, name_release);
    }
    for (int i = 0; i < 4; i++) {
        struct name *name = names[i];

        names[i] = NULL;
        kref_put(&name->kref, name_release);
    }
    return 0;
}

/*
 * The lookup calls kref_get_unless_zero() and ignores the result. Seen in tables that hold no
 * reference, where release removes the object. Here the lookup comes after the last put, while
 * release waits for the lock.
 *
 * found by: put-after-release
 */
#include "check.h"

struct session {
    char user[16];
    struct kref kref;
};

static struct session *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int dying, freed;

static void session_release(struct kref *kref)
{
    __atomic_store_n(&dying, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lock);
    table = NULL;
    pthread_mutex_unlock(&lock);
    free(kref_entry(kref, struct session, kref));
    __atomic_store_n(&freed, 1, __ATOMIC_RELAXED);
}

static void *log_out(void *session)
{
    kref_put(&((struct session *)session)->kref, session_release);
    return NULL;
}

int main(void)
{
    struct session *session;
    pthread_t thread;

    table = calloc(1, sizeof *table);
    CHECK(table);
    kref_init(&table->kref);
    pthread_mutex_lock(&lock);
    session = table;
    start(&thread, log_out, session);
    while (!__atomic_load_n(&dying, __ATOMIC_RELAXED))
        ;
#ifdef RIGHT
    if (!kref_get_unless_zero(&session->kref)) /* FIX */
        session = NULL;                        /* FIX */
#else
    (void)!kref_get_unless_zero(&session->kref);
#endif
    pthread_mutex_unlock(&lock);
    while (!__atomic_load_n(&freed, __ATOMIC_RELAXED))
        ;
    if (session)
        kref_put(&session->kref, session_release); /* BLAME */
    join(thread);
    return 0;
}

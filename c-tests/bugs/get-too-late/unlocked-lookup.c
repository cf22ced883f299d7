/*
 * The object is found under the table's lock, but the reference is taken after the unlock. Seen in
 * most hand-written lookups: sessions by id, inodes by number. Here the last put comes between the
 * two.
 *
 * found by: get-after-release
 */
#include "check.h"

struct session {
    char user[16];
    struct kref kref;
};

static struct session *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int found, gone;

static void session_release(struct kref *kref)
{
    free(kref_entry(kref, struct session, kref));
}

static void *log_out(void *unused)
{
    struct session *session;

    (void)unused;
    while (!__atomic_load_n(&found, __ATOMIC_RELAXED))
        ;
    pthread_mutex_lock(&lock);
    session = table;
    table = NULL;
    pthread_mutex_unlock(&lock);
    kref_put(&session->kref, session_release);
    __atomic_store_n(&gone, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct session *session;
    pthread_t thread;

    table = calloc(1, sizeof *table);
    CHECK(table);
    kref_init(&table->kref);
    start(&thread, log_out, NULL);

    pthread_mutex_lock(&lock);
    session = table;
#ifdef RIGHT
    kref_get(&session->kref); /* FIX */
#endif
    pthread_mutex_unlock(&lock);
    __atomic_store_n(&found, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&gone, __ATOMIC_RELAXED))
        ;
#ifndef RIGHT
    kref_get(&session->kref); /* BLAME */
#endif
    kref_put(&session->kref, session_release);
    join(thread);
    return 0;
}

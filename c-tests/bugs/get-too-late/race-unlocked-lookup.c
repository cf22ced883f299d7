/*
 * The bug of unlocked-lookup.c, left to chance: the last put must come in the short time between
 * the unlock and the get. Seen as a crash that nobody can repeat.
 * Nothing shows this bug, unless kref-track changes the schedule.
 *
 * found by: race
 */
#include "check.h"

#define ROUNDS 20

struct session {
    char user[16];
    struct kref kref;
};

static struct session *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void session_release(struct kref *kref)
{
    free(kref_entry(kref, struct session, kref));
}

static void *log_out(void *unused)
{
    struct kref *kref;

    pthread_mutex_lock(&lock);
    kref = &table->kref;
    table = NULL;
    pthread_mutex_unlock(&lock);
    kref_put(kref, session_release); /* the table's reference */
    return unused;
}

static void look_up(void)
{
    struct session *session;

    pthread_mutex_lock(&lock);
    session = table;
#ifdef RIGHT
    if (session)                  /* FIX */
        kref_get(&session->kref); /* FIX */
#endif
    pthread_mutex_unlock(&lock);
    if (!session)
        return;
#ifndef RIGHT
    kref_get(&session->kref); /* BLAME */
#endif
    kref_put(&session->kref, session_release);
}

int main(void)
{
    pthread_t thread;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        table = calloc(1, sizeof *table);
        CHECK(table);
        kref_init(&table->kref);
        start(&thread, log_out, NULL);
        look_up();
        join(thread);
    }
    return 0;
}

/*
 * A put on an object of a pool comes after its end, and the next object at its place is right. Then the habits of
 * malloc(): a kref_init() before the publish, and a free of an object that somebody holds.
 */
#include "../../harness/check.h"

struct session {
    int id;
    struct kref kref;
};

static void session_cleanup(struct session *session)
{
    session->id = 0;
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

static struct session *session_open(void)
{
    struct session *session = session_alloc();

    CHECK(session);
    session_publish(session);
    return session;
}

static void close_late(struct session *session)
{
    session_unref(session);
}

static void initialise(struct session *session)
{
    kref_init(&session->kref); /* HERE */
}

int main(void)
{
    struct session *session = session_open(), *next;

    session_unref(session);
    close_late(session);
    next = session_open();
    CHECK(next == session);
    session_unref(next);

    session = session_alloc();
    initialise(session);
    session_publish(session);

    session = session_open();
    kref_pool_free(&session_pool, &session->kref);
    session_unref(session);
    return 0;
}

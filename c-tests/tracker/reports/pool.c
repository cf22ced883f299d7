/*
 * Objects of a pool are leaked: one by its creator, one by a lookup, one by a loop over the pool. Two lookups find no
 * object.
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

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup); /* HERE */

static struct session *session_new(int id)
{
    struct session *session = session_alloc();

    CHECK(session);
    session->id = id;
    return session;
}

static void session_open(int id)
{
    session_publish(session_new(id));
}

static struct session *find(uint64_t handle)
{
    return session_by_handle(handle);
}

static struct session *search(uint64_t handle)
{
    struct session *session;
    unsigned cursor = 0;

    while ((session = session_next(&cursor)) && session_handle(session) != handle)
        session_unref(session);
    return session;
}

/* A session that ends unless `take` keeps a reference. Returns its handle. */
static uint64_t run(int id, struct session *(*take)(uint64_t handle))
{
    struct session *session = session_new(id);
    uint64_t handle = session_handle(session);

    session_publish(session);
    CHECK(!take || take(handle) == session);
    session_unref(session);
    return handle;
}

int main(void)
{
    uint64_t gone = run(1, NULL);

    run(2, find); /* where the first one was */
    run(3, search);
    session_open(4);
    CHECK(!find(gone));
    CHECK(!session_by_handle(12345));
    CHECK(kref_pool_count(&session_pool) == 3);
    CHECK(kref_pool_destroy(&session_pool) == 3);
    return 0;
}

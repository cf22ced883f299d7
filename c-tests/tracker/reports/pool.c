/* Objects of a pool are leaked: one by its creator, one by a lookup, one by a loop over the pool. */
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

static struct session *found[2];

static uint64_t session_open(int id)
{
    struct session *session = session_alloc();

    CHECK(session);
    session->id = id;
    session_publish(session);
    return session_handle(session);
}

static struct session *serve(uint64_t handle)
{
    return session_by_handle(handle);
}

static struct session *last(void)
{
    struct session *next, *session = NULL;
    unsigned cursor = 0;

    while ((next = session_next(&cursor))) {
        if (session)
            session_unref(session);
        session = next;
    }
    return session;
}

int main(void)
{
    uint64_t first = session_open(1), second = session_open(2), third = session_open(3);
    struct session *session;

    /* The place of the first is used again. */
    session = serve(first);
    session_unref(session);
    session_unref(session);
    CHECK(!serve(first));
    CHECK(!session_by_handle(12345));
    first = session_open(4);
    (void)first;

    found[0] = serve(second);
    session_unref(found[0]);

    found[1] = last();
    session_unref(found[1]);
    CHECK(serve(third) == found[1]);
    session_unref(found[1]);
    return 0;
}

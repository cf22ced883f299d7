/*
 * An event carries the session's pointer where the handle should be. The session ends, and then the event comes. The
 * memory is still there, because it is the pool's. Seen with epoll's data.ptr and with timers.
 *
 * found by: put-after-release
 */
#include "../sessions.h"

union event {
    uint64_t handle;
    struct session *session;
};

static void on_close(union event event)
{
#ifdef RIGHT
    struct kref *kref = kref_pool_get(&pool, event.handle); /* FIX */

    if (kref) {                          /* FIX */
        kref_put(kref, session_release); /* FIX */
        kref_put(kref, session_release); /* FIX */
    }
#else
    kref_put(&event.session->kref, session_release); /* BLAME */
#endif
}

int main(void)
{
    struct session *session = kref_pool_alloc(&pool);
    union event event;

    CHECK(session);
    session->requests = 0;
#ifdef RIGHT
    event.handle = kref_pool_handle(&pool, &session->kref); /* FIX */
#else
    event.session = session;
#endif
    kref_pool_publish(&pool, &session->kref);
    on_close(event);
    on_close(event); /* the peer closed, too */
    return 0;
}

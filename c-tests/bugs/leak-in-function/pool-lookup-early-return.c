/*
 * An event handler finds the session by the handle in the event, and returns early without a put. Seen with
 * every lookup that gives a reference.
 *
 * found by: leak
 */
#include "../sessions.h"

static int handle_event(uint64_t handle, int length)
{
    struct kref *kref = kref_pool_get(&pool, handle); /* BLAME */

    if (!kref)
        return -1;
    if (length == 0) {
#ifdef RIGHT
        kref_put(kref, session_release); /* FIX */
#endif
        return 0;
    }
    kref_entry(kref, struct session, kref)->requests++;
    kref_put(kref, session_release);
    return 1;
}

int main(void)
{
    struct session *session = kref_pool_alloc(&pool);
    uint64_t handle;

    CHECK(session);
    handle = kref_pool_handle(&pool, &session->kref);
    session->requests = 0;
    kref_pool_publish(&pool, &session->kref);
    CHECK(handle_event(handle, 10) == 1);
    CHECK(handle_event(handle, 0) == 0);
    kref_put(&session->kref, session_release);
    return 0;
}

/*
 * The creator of an object in a pool calls kref_init(), as for an object of malloc(). A lookup by an old handle may be
 * changing the count at that moment. The report names the publish, and as the object's creation the kref_init().
 *
 * found by: bad-publish
 */
#include "../sessions.h"

int main(void)
{
    struct session *session = kref_pool_alloc(&pool);

    CHECK(session);
    session->requests = 0;
#ifndef RIGHT
    kref_init(&session->kref); /* FIX */
#endif
    kref_pool_publish(&pool, &session->kref); /* BLAME */
    kref_put(&session->kref, session_release);
    return 0;
}

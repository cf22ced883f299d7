/*
 * The creator frees the object itself, and not by its put, while a lookup holds a reference. Seen where malloc()
 * and free() were replaced by a pool.
 *
 * found by: bad-free
 */
#include "../sessions.h"

int main(void)
{
    struct session *session = kref_pool_alloc(&pool);
    struct kref *found;

    CHECK(session);
    session->requests = 0;
    kref_pool_publish(&pool, &session->kref);
    found = kref_pool_get(&pool, kref_pool_handle(&pool, &session->kref));
    CHECK(found == &session->kref);
#ifdef RIGHT
    kref_put(&session->kref, session_release); /* FIX */
#else
    kref_pool_free(&pool, &session->kref); /* BLAME */
#endif
    kref_put(found, session_release);
    return 0;
}

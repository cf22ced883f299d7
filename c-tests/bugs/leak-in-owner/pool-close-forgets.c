/*
 * The connection keeps the handle of its session, and not the session. When the connection is closed, the lookup's
 * reference is given back, but the creator's is not. Seen with objects that everybody knows by an id.
 *
 * found by: leak
 */
#include "../sessions.h"

struct connection {
    uint64_t session;
};

static void open_connection(struct connection *connection)
{
    struct session *session = kref_pool_alloc(&pool);

    CHECK(session);
    session->requests = 0;
    connection->session = kref_pool_handle(&pool, &session->kref);
    kref_pool_publish(&pool, &session->kref); /* BLAME */
}

static void close_connection(struct connection *connection)
{
    struct kref *kref = kref_pool_get(&pool, connection->session);

    CHECK(kref && kref_entry(kref, struct session, kref)->requests == 0);
    kref_put(kref, session_release);
#ifdef RIGHT
    kref_put(kref, session_release); /* FIX */
#endif
}

int main(void)
{
    struct connection connection;

    open_connection(&connection);
    close_connection(&connection);
    return 0;
}

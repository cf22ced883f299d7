/*
 * An event loop calls every function. The handler of a read takes a reference on its connection, and
 * returns early on bad data. The connection is accepted and closed by other events. Seen in every event
 * loop. The innermost functions only get and put, for everybody.
 *
 * found by: leak
 * wrappers: conn_ref
 */
#include "check.h"

#define CONNECTIONS 40

struct conn {
    int fd;
    struct kref kref;
};

static struct conn *conns[CONNECTIONS];

static void conn_release(struct kref *kref)
{
    free(kref_entry(kref, struct conn, kref));
}

static void __attribute__((noinline)) conn_ref(struct conn *conn)
{
    kref_get(&conn->kref);
    conn->fd++;
}

static int __attribute__((noinline)) conn_unref(struct conn *conn)
{
    return kref_put(&conn->kref, conn_release) ? 1 : 0;
}

static void on_accept(int number)
{
    struct conn *conn = calloc(1, sizeof *conn);

    CHECK(conn);
    kref_init(&conn->kref);
    conns[number] = conn;
}

static void on_read(int number)
{
    struct conn *conn = conns[number];

    conn_ref(conn); /* BLAME */
    if (number % 4 == 3) {
#ifdef RIGHT
        conn_unref(conn); /* FIX */
#endif
        return;
    }
    conn_unref(conn);
}

static void on_close(int number)
{
    conn_unref(conns[number]);
    conns[number] = NULL;
}

int main(void)
{
    void (*const events[])(int) = { on_accept, on_read, on_close };

    for (int i = 0; i < CONNECTIONS * 3; i++)
        events[i % 3](i / 3);
    return 0;
}

/*
 * An event loop with callbacks. Watchers, deferred calls and pending writes each hold a reference
 * on the connection that their callbacks get. The peers are a script.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEERS = 24, TURNS = 400, MOST = 128 };

struct conn {
    struct kref kref;
    int fd, seen, closing, unsent;
};

typedef void callback(struct conn *conn, int what);

struct source {
    callback *call;
    struct conn *conn;
    int what;
};

static struct source watchers[PEERS];
static struct source deferred[MOST];
static int first_deferred, last_deferred, writes, closed;

static void conn_free(struct kref *kref)
{
    free(kref_entry(kref, struct conn, kref));
}

static struct conn *conn_ref(struct conn *conn)
{
    kref_get(&conn->kref);
    return conn;
}

static void conn_unref(struct conn *conn)
{
    kref_put(&conn->kref, conn_free);
}

static void watch(struct conn *conn, callback *call)
{
    struct source *watcher = &watchers[conn->fd];

    watcher->conn = conn_ref(conn); /* get: watcher */
    watcher->call = call;
}

static void unwatch(struct conn *conn)
{
    struct source *watcher = &watchers[conn->fd];

    watcher->call = NULL;
    conn_unref(watcher->conn); /* put: watcher */
}

static void defer(struct conn *conn, callback *call, int what)
{
    struct source *source = &deferred[last_deferred++ % MOST];

    source->call = call;
    source->what = what;
    source->conn = conn;
    conn_ref(conn); /* get: deferred */
}

static void on_written(struct conn *conn, int bytes)
{
    writes += bytes;
    conn->unsent--;
    conn_unref(conn); /* put: write */
}

static void send_reply(struct conn *conn, int bytes)
{
    conn_ref(conn); /* get: write */
    conn->unsent++;
    defer(conn, on_written, bytes);
}

static void on_close(struct conn *conn, int unused)
{
    (void)unused;
    closed++;
    conn_unref(conn); /* put: open */
}

static void on_readable(struct conn *conn, int byte)
{
    conn->seen++;
    if (byte % 3 == 0)
        send_reply(conn, byte);
    if (conn->seen < 5 + conn->fd % 4)
        return;
    conn->closing = 1;
    unwatch(conn);
    defer(conn, on_close, 0);
}

static void on_accept(int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        abort();
    kref_init(&conn->kref); /* get: open */
    conn->fd = fd;
    watch(conn, on_readable);
}

static void dispatch(struct source *source, int what)
{
    if (source->call)
        source->call(source->conn, what);
}

static void run_deferred(void)
{
    while (first_deferred != last_deferred) {
        struct source source = deferred[first_deferred++ % MOST];

        dispatch(&source, source.what);
        conn_unref(source.conn); /* put: deferred */
    }
}

int main(void)
{
    int turn;

    for (turn = 0; turn < TURNS; turn++) {
        if (turn % 10 == 0 && turn / 10 < PEERS)
            on_accept(turn / 10);
        dispatch(&watchers[turn * 7 % PEERS], turn);
        run_deferred();
    }
    for (turn = 0; turn < PEERS; turn++)
        if (watchers[turn].call) {
            struct conn *conn = watchers[turn].conn;

            unwatch(conn);
            on_close(conn, 0);
        }
    printf("%d closed, %d bytes\n", closed, writes);
    return 0;
}

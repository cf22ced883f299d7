/*
 * A pool of connections to a database, and threads that borrow them. A connection caches the statements that were
 * prepared on it. A cursor "with hold" may be read after its transaction, even if the connection was discarded.
 */
#include <errno.h>
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DB_CONNS 2
#define DB_CACHED 4
#define DB_STATEMENTS 7
#define WORKERS 3
#define ROUNDS 260

struct db_conn {
    struct kref kref;
    struct db_conn *next_idle;
    struct db_stmt *cache[DB_CACHED];
    int hand;
};

struct db_stmt {
    struct kref kref;
    struct db_conn *conn;
    int sql;
};

struct db_cursor {
    struct kref kref;
    struct db_stmt *stmt;
    struct db_cursor *next_in_tx;
    int row, rows;
};

struct db_tx {
    struct db_conn *conn;
    struct db_cursor *cursors;
};

struct worker {
    pthread_t thread;
    unsigned int seed;
    struct db_cursor *held;
    long rows, rollbacks;
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_idle = PTHREAD_COND_INITIALIZER;
static struct db_conn *idle_conns;

static int fate(struct worker *w, int n)
{
    return rand_r(&w->seed) / 7 % n;
}

KREF_DEFINE(conn, struct db_conn, kref, free);

static void stmt_free(struct db_stmt *stmt)
{
    conn_unref(stmt->conn); /* put: statement's connection */
    free(stmt);
}

KREF_DEFINE(stmt, struct db_stmt, kref, stmt_free);

static void cursor_free(struct db_cursor *cursor)
{
    stmt_unref(cursor->stmt); /* put: cursor's statement */
    free(cursor);
}

KREF_DEFINE(cursor, struct db_cursor, kref, cursor_free);

/* With the lock. */
static void pool_add(struct db_conn *conn)
{
    conn->next_idle = idle_conns;
    idle_conns = conn;
    pthread_cond_signal(&pool_idle);
}

static struct db_conn *db_connect(void)
{
    struct db_conn *conn = calloc(1, sizeof *conn);

    conn_ref_init(conn); /* get: pool */
    return conn;
}

static struct db_conn *db_checkout(void)
{
    struct db_conn *conn;

    pthread_mutex_lock(&pool_lock);
    while (!idle_conns)
        pthread_cond_wait(&pool_idle, &pool_lock);
    conn = idle_conns;
    idle_conns = conn->next_idle;
    pthread_mutex_unlock(&pool_lock);
    return conn_ref(conn); /* get: checkout */
}

static void db_checkin(struct db_conn *conn)
{
    pthread_mutex_lock(&pool_lock);
    pool_add(conn);
    pthread_mutex_unlock(&pool_lock);
    conn_unref(conn); /* put: checkout */
}

static void db_close(struct db_conn *conn)
{
    int i;

    for (i = 0; i < DB_CACHED; i++)
        if (conn->cache[i])
            stmt_unref(conn->cache[i]); /* put: statement cache */
    conn_unref(conn); /* put: pool */
}

/* For a connection that was lost: the pool gets a new one. */
static void db_discard(struct db_conn *conn)
{
    db_close(conn);
    pthread_mutex_lock(&pool_lock);
    pool_add(db_connect());
    pthread_mutex_unlock(&pool_lock);
    conn_unref(conn); /* put: checkout */
}

static int db_prepare(struct worker *w, struct db_conn *conn, int sql, struct db_stmt **result)
{
    struct db_stmt *stmt, **place;
    int i;

    if (fate(w, 12) == 0)
        return -EINVAL;
    for (i = 0; i < DB_CACHED; i++)
        if (conn->cache[i] && conn->cache[i]->sql == sql) {
            *result = stmt_ref(conn->cache[i]); /* get: prepared */
            return 0;
        }
    stmt = malloc(sizeof *stmt);
    stmt_ref_init(stmt); /* get: prepared */
    stmt->conn = conn_ref(conn); /* get: statement's connection */
    stmt->sql = sql;
    place = &conn->cache[conn->hand++ % DB_CACHED];
    if (*place)
        stmt_unref(*place); /* put: statement cache */
    *place = stmt_ref(stmt); /* get: statement cache */
    *result = stmt;
    return 0;
}

static struct db_cursor *db_open(struct db_tx *tx, struct db_stmt *stmt)
{
    struct db_cursor *cursor = malloc(sizeof *cursor);

    cursor_ref_init(cursor); /* get: transaction */
    cursor->stmt = stmt_ref(stmt); /* get: cursor's statement */
    cursor->row = 0;
    cursor->rows = 3 + stmt->sql;
    cursor->next_in_tx = tx->cursors;
    tx->cursors = cursor;
    return cursor_ref(cursor); /* get: reader */
}

static int db_fetch(struct worker *w, struct db_cursor *cursor)
{
    if (fate(w, 70) == 0)
        return -EPIPE;
    w->rows++;
    return cursor->row++ < cursor->rows;
}

static void db_end(struct db_tx *tx)
{
    struct db_cursor *cursor;

    while ((cursor = tx->cursors)) {
        tx->cursors = cursor->next_in_tx;
        cursor_unref(cursor); /* put: transaction */
    }
}

static void close_held(struct worker *w)
{
    if (w->held)
        cursor_unref(w->held); /* put: reader */
    w->held = NULL;
}

static int query(struct worker *w, struct db_tx *tx, int hold)
{
    struct db_stmt *stmt;
    struct db_cursor *cursor;
    int error = db_prepare(w, tx->conn, fate(w, DB_STATEMENTS), &stmt);

    if (error)
        return error;
    cursor = db_open(tx, stmt);
    if (hold && stmt->sql > 2) {
        close_held(w);
        w->held = cursor;
        goto out;
    }
    while ((error = db_fetch(w, cursor)) > 0)
        ;
    cursor_unref(cursor); /* put: reader */
out:
    stmt_unref(stmt); /* put: prepared */
    return error;
}

static void transaction(struct worker *w)
{
    struct db_tx tx = { db_checkout(), NULL };
    int i, error = 0;

    for (i = fate(w, 3); i >= 0 && !error; i--)
        error = query(w, &tx, fate(w, 3) == 0);
    w->rollbacks += error != 0;
    db_end(&tx);
    if (error == -EPIPE)
        db_discard(tx.conn);
    else
        db_checkin(tx.conn);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        transaction(w);
        if (w->held && db_fetch(w, w->held) <= 0)
            close_held(w);
    }
    close_held(w);
    return NULL;
}

int main(void)
{
    struct worker workers[WORKERS] = { 0 };
    struct db_conn *conn;
    int i;

    for (i = 0; i < DB_CONNS; i++)
        pool_add(db_connect());
    for (i = 0; i < WORKERS; i++) {
        workers[i].seed = 100 + i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            return 1;
    }
    for (i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        printf("%ld rows, %ld rolled back\n", workers[i].rows, workers[i].rollbacks);
    }
    while ((conn = idle_conns)) {
        idle_conns = conn->next_idle;
        db_close(conn);
    }
    return 0;
}

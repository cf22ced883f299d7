/*
 * The middle of an HTTP server, between the sockets and the handlers. Requests of a connection that is kept alive are
 * answered in their order, while some handlers are slow. Buffers are shared: a body is a part of what was received,
 * and a page is sent from the cache.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNS = 6, MAX_PIPELINE = 8, OUT_SLOTS = 16, PAGES = 5, MAX_JOBS = 64, BUF_SIZE = 48 };

typedef struct {
    struct kref ref;
    int used;
    char bytes[BUF_SIZE];
} buf_t;

typedef struct {
    buf_t *buf;
    int from, to;
} slice_t;

typedef struct conn {
    struct kref ref;
    int closed, first, last, out_first, out_last;
    buf_t *in;
    struct exchange *pipeline[MAX_PIPELINE];
    slice_t out[OUT_SLOTS];
} conn_t;

/* A request and its answer. */
typedef struct exchange {
    struct kref ref;
    conn_t *conn;
    slice_t body, answer;
} exchange_t;

static conn_t *conns[MAX_CONNS];
static buf_t *page_cache[PAGES];
static exchange_t *jobs[MAX_JOBS];
static int njobs, sent, aborted;

static unsigned int chance(unsigned int n)
{
    static unsigned long long seed = 88172645463325252ULL;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned int)(seed % n);
}

static void *make(size_t size)
{
    void *object = calloc(1, size);

    if (!object)
        exit(2);
    return object;
}

KREF_DEFINE(buf, buf_t, ref, free);
KREF_DEFINE(conn, conn_t, ref, free);

static void exchange_destroy(exchange_t *ex)
{
    buf_unref(ex->body.buf); /* put: body */
    buf_unref(ex->answer.buf); /* put: answer */
    conn_unref(ex->conn); /* put: exchange's connection */
    free(ex);
}

KREF_DEFINE(exchange, exchange_t, ref, exchange_destroy);

/* The answers that are ready go from the pipeline to the output. */
static void conn_advance(conn_t *conn)
{
    while (conn->first < conn->last && conn->out_last - conn->out_first < OUT_SLOTS) {
        exchange_t *ex = conn->pipeline[conn->first % MAX_PIPELINE];

        if (!ex->answer.buf)
            return;
        conn->out[conn->out_last++ % OUT_SLOTS] = ex->answer;
        ex->answer.buf = NULL;
        conn->first++;
        exchange_unref(ex); /* put: pipeline */
    }
}

static void answer(exchange_t *ex, buf_t *buf)
{
    if (ex->conn->closed) {
        aborted++;
        buf_unref(buf); /* put: answer */
        return;
    }
    ex->answer.buf = buf;
    ex->answer.to = buf->used;
    conn_advance(ex->conn);
}

static void handle_static(exchange_t *ex, int page)
{
    if (!page_cache[page]) {
        page_cache[page] = make(sizeof(buf_t));
        buf_ref_init(page_cache[page]); /* get: page cache */
        page_cache[page]->used = 10 + page;
    }
    answer(ex, buf_ref(page_cache[page])); /* get: answer */
}

static void run_job(int at)
{
    exchange_t *ex = jobs[at];
    buf_t *buf = make(sizeof *buf);

    buf_ref_init(buf); /* get: answer */
    jobs[at] = jobs[--njobs];
    buf->used = ex->body.to - ex->body.from;
    memcpy(buf->bytes, ex->body.buf->bytes + ex->body.from, buf->used);
    answer(ex, buf);
    exchange_unref(ex); /* put: job */
}

static void on_request(conn_t *conn, int from, int to)
{
    exchange_t *ex = make(sizeof *ex);

    exchange_ref_init(ex); /* get: pipeline */
    ex->conn = conn_ref(conn); /* get: exchange's connection */
    ex->body = (slice_t){ buf_ref(conn->in), from, to }; /* get: body */
    conn->pipeline[conn->last++ % MAX_PIPELINE] = ex;
    if (chance(3) == 0 && njobs < MAX_JOBS)
        jobs[njobs++] = exchange_ref(ex); /* get: job */
    else
        handle_static(ex, chance(PAGES));
}

/* A full buffer belongs to the requests that are in it, from now on. */
static void on_bytes(conn_t *conn, int count)
{
    if (conn->last - conn->first == MAX_PIPELINE)
        return;
    if (conn->in && conn->in->used + count > BUF_SIZE) {
        buf_unref(conn->in); /* put: receiving */
        conn->in = NULL;
    }
    if (!conn->in) {
        conn->in = make(sizeof(buf_t));
        buf_ref_init(conn->in); /* get: receiving */
    }
    memset(conn->in->bytes + conn->in->used, 'a' + count, count);
    conn->in->used += count;
    on_request(conn, conn->in->used - count, conn->in->used);
}

static void on_writable(conn_t *conn, int budget)
{
    while (conn->out_first < conn->out_last && budget > 0) {
        slice_t *next = &conn->out[conn->out_first % OUT_SLOTS];
        int part = next->to - next->from < budget ? next->to - next->from : budget;

        sent += part;
        budget -= part;
        next->from += part;
        if (next->from < next->to)
            break;
        buf_unref(next->buf); /* put: answer */
        conn->out_first++;
    }
    conn_advance(conn);
}

static void on_close(int fd)
{
    conn_t *conn = conns[fd];

    conn->closed = 1;
    conns[fd] = NULL;
    for (; conn->out_first < conn->out_last; conn->out_first++)
        buf_unref(conn->out[conn->out_first % OUT_SLOTS].buf); /* put: answer */
    for (; conn->first < conn->last; conn->first++)
        exchange_unref(conn->pipeline[conn->first % MAX_PIPELINE]); /* put: pipeline */
    buf_unref(conn->in); /* put: receiving */
    conn_unref(conn); /* put: table */
}

static void on_accept(int fd)
{
    conns[fd] = make(sizeof(conn_t));
    conn_ref_init(conns[fd]); /* get: table */
}

int main(void)
{
    int turn, fd, i;

    for (turn = 0; turn < 900; turn++) {
        fd = chance(MAX_CONNS);
        if (!conns[fd])
            on_accept(fd);
        for (i = chance(3); i > 0; i--)
            on_bytes(conns[fd], 4 + chance(14));
        on_writable(conns[fd], chance(60));
        if (chance(25) == 0)
            on_close(fd);
        if (njobs > 0 && chance(3))
            run_job(chance(njobs));
        if (chance(50) == 0) {
            i = chance(PAGES);
            buf_unref(page_cache[i]); /* put: page cache */
            page_cache[i] = NULL;
        }
    }
    for (fd = 0; fd < MAX_CONNS; fd++)
        if (conns[fd])
            on_close(fd);
    while (njobs > 0)
        run_job(0);
    for (i = 0; i < PAGES; i++)
        buf_unref(page_cache[i]); /* put: page cache */
    printf("%d bytes sent, %d answers too late\n", sent, aborted);
    return 0;
}

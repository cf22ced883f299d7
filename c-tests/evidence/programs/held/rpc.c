/*
 * Remote calls. The table of pending calls holds a call until the answer, the time limit or a
 * cancellation, whichever is first; the caller holds its handle; the wire holds what it sends.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 110, PLACES = 32, WIRE = 8, LIMIT = 20, HELD = 12 };

enum outcome { WAITING, ANSWERED, TIMED_OUT, CANCELLED };

struct rpc {
    struct kref kref;
    int id, deadline;
    enum outcome outcome;
    void (*done)(struct rpc *rpc);
};

static struct rpc *pending[PLACES], *wire[WIRE], *handles[HELD];
static int in_wire, now, outcomes[4], again;

static struct rpc *rpc_send(int id, void (*done)(struct rpc *));

static void rpc_free(struct kref *kref)
{
    free(kref_entry(kref, struct rpc, kref));
}

static inline void rpc_ref(struct rpc *rpc)
{
    kref_get(&rpc->kref);
}

static inline void rpc_unref(struct rpc *rpc)
{
    kref_put(&rpc->kref, rpc_free);
}

/* Returns the table's reference, which the caller now owns. */
static struct rpc *pending_remove(int id)
{
    struct rpc *rpc = pending[id % PLACES];

    if (!rpc || rpc->id != id)
        return NULL;
    pending[id % PLACES] = NULL;
    return rpc;
}

static void complete(struct rpc *rpc, enum outcome outcome)
{
    rpc->outcome = outcome;
    outcomes[outcome]++;
    if (rpc->done)
        rpc->done(rpc);
}

static void on_answer(int id)
{
    struct rpc *rpc = pending_remove(id);

    if (!rpc)
        return;
    complete(rpc, ANSWERED);
    rpc_unref(rpc); /* put: pending */
}

static void check_deadlines(void)
{
    int i;

    for (i = 0; i < PLACES; i++) {
        struct rpc *rpc = pending[i];

        if (rpc && rpc->deadline <= now) {
            pending_remove(rpc->id);
            complete(rpc, TIMED_OUT);
            rpc_unref(rpc); /* put: pending */
        }
    }
}

static void cancel(struct rpc *rpc)
{
    if (pending_remove(rpc->id)) {
        complete(rpc, CANCELLED);
        rpc_unref(rpc); /* put: pending */
    }
}

static void flush_wire(void)
{
    int i;

    for (i = 0; i < in_wire; i++) {
        struct rpc *rpc = wire[i];
        int id = rpc->id;

        if (id % 5 && rpc->outcome == WAITING)
            on_answer(id);
        rpc_unref(rpc); /* put: wire */
    }
    in_wire = 0;
}

static struct rpc *rpc_send(int id, void (*done)(struct rpc *))
{
    struct rpc *rpc = calloc(1, sizeof *rpc);

    if (!rpc)
        return NULL;
    kref_init(&rpc->kref); /* get: caller */
    rpc->id = id;
    rpc->deadline = now + LIMIT;
    rpc->done = done;
    if (pending[id % PLACES]) {
        rpc_unref(rpc); /* put: caller */
        return NULL;
    }
    rpc_ref(rpc); /* get: pending */
    pending[id % PLACES] = rpc;
    rpc_ref(rpc); /* get: wire */
    wire[in_wire++] = rpc;
    if (in_wire == WIRE)
        flush_wire();
    return rpc;
}

/* Sends a call that timed out once more, and does not wait for it. */
static void retry(struct rpc *rpc)
{
    struct rpc *next;

    if (rpc->outcome != TIMED_OUT || rpc->id >= 1000 || in_wire + 1 >= WIRE)
        return;
    next = rpc_send(rpc->id + 1001, NULL);
    if (next) {
        again++;
        rpc_unref(next); /* put: caller */
    }
}

static void keep(struct rpc *rpc, int place)
{
    struct rpc *old = handles[place];

    handles[place] = rpc;
    if (!old)
        return;
    if (old->id % 10 == 0)
        cancel(old);
    rpc_unref(old); /* put: caller */
}

int main(void)
{
    int i;

    for (i = 0; i < CALLS; i++) {
        struct rpc *rpc = rpc_send(i, i % 2 ? retry : NULL);

        if (rpc)
            keep(rpc, i % HELD);
        now++;
        check_deadlines();
    }
    flush_wire();
    for (i = 0; i < HELD; i++)
        keep(NULL, i);
    now += LIMIT;
    check_deadlines();
    flush_wire();
    now += LIMIT;
    check_deadlines();
    printf("%d answered, %d too late, %d cancelled, %d again\n", outcomes[ANSWERED],
           outcomes[TIMED_OUT], outcomes[CANCELLED], again);
    return 0;
}

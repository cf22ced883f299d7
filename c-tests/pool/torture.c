/*
 * Threads that create, find and end the objects of a pool, disturbed in all ways of torture.h. Signal handlers and
 * child processes use the same pool.
 *
 * Each object has a secret, which is made from its handle. No handle ever finds an object with another secret. In
 * the end each object was released once. No place is lost: otherwise the pool needs more and more of them.
 */
#include "torture.h"

#define BURST 200

struct session {
    uint64_t secret;
    struct kref kref;
    uint64_t again;
};

static uint64_t secret_of(uint64_t handle)
{
    return handle * 0x9e3779b97f4a7c15u;
}

/* To be called by a thread that holds a reference. */
static void session_check(struct session *session, uint64_t handle)
{
    CHECK(session->secret == secret_of(handle) && session->again == ~session->secret);
}

static void session_cleanup(struct session *session)
{
    CHECK(session->again == ~session->secret);
    session->secret = session->again = 0;
    ADD(released, 1);
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

/* Relaxed: a handle alone orders nothing. Most of these handles are stale. */
#define RUMOURS 64
static uint64_t rumours[RUMOURS];

/* Each handle here stands for a reference. Who takes the handle out gives the reference back. */
#define OWNERS 8
static uint64_t owners[OWNERS];

static struct session *create(void)
{
    struct session *session = session_alloc();
    uint64_t handle;

    CHECK(session);
    handle = session_handle(session);
    session->secret = secret_of(handle);
    session->again = ~session->secret;
    session_publish(session);
    ADD(made, 1);
    WRITE(rumours[handle % RUMOURS], handle);
    return session;
}

static struct session *find(uint64_t handle)
{
    struct session *session = session_by_handle(handle);

    if (session)
        session_check(session, handle);
    return session;
}

/* Holds the session from now on, in place of the session before. */
static void hold(struct seat *seat, struct session *session)
{
    session_unref(seat->held);
    seat->held = session;
}

static void leave(struct seat *seat)
{
    hold(seat, NULL);
}

/* Exchanges an owner's object. The handle that is taken out finds its object, which is alive. */
static void own(struct seat *seat, struct session *next)
{
    uint64_t *owner = &owners[any(seat, OWNERS)];
    uint64_t handle = __atomic_exchange_n(owner, next ? session_handle(next) : 0, __ATOMIC_ACQ_REL);
    struct session *session = find(handle);

    seat->replaces++;
    CHECK(!session == !handle);
    if (!session)
        return;
    session_unref(session);
    WRITE(rumours[any(seat, RUMOURS)], handle);
    session_unref(session);
}

static void create_some(struct seat *seat)
{
    int i;

    for (i = 0; i < 8; i++) {
        if (any(seat, 2))
            session_unref(create());
        else
            own(seat, create());
    }
    hold(seat, create());
}

/* So many that the CPUs' caches of free places become empty and full. */
static void burst(struct seat *seat)
{
    struct session *sessions[BURST];
    unsigned int number = 1 + any(seat, any(seat, 4) ? 4 : BURST), i;

    for (i = 0; i < number; i++)
        sessions[i] = create();
    for (i = 0; i < number; i++)
        session_unref(sessions[i]);
    seat->gets += number;
}

/* A signal can interrupt a sequence here, wherever the pool itself uses none. */
static void use_sequences(void)
{
    int i;

    for (i = 0; i < 64; i++) {
        percpu_ref_get(&in_handlers);
        percpu_ref_put(&in_handlers);
    }
}

static void find_some(struct seat *seat)
{
    int i;

    use_sequences();
    for (i = 0; i < 32; i++) {
        struct session *session = find(READ(rumours[any(seat, RUMOURS)]));

        if (!session)
            session = find(READ(owners[any(seat, OWNERS)]));
        if (!session)
            continue;
        seat->gets++;
        if (!any(seat, 4))
            hold(seat, session_ref(session));
        session_unref(session);
    }
    /* Any number: the right generation with another position, and the other way round. */
    session_unref(find(READ(rumours[any(seat, RUMOURS)]) ^ (uint64_t)1 << any(seat, 64)));
}

static unsigned long walked;

static void find_all(struct seat *seat)
{
    struct session *session;
    unsigned int cursor = any(seat, 4);

    while ((session = session_next(&cursor))) {
        session_check(session, session_handle(session));
        session_unref(session);
        ADD(walked, 1);
    }
    if (any(seat, 4))
        find_some(seat);
    else
        kref_pool_drain(&session_pool);
}

static void do_all(struct seat *seat)
{
    create_some(seat);
    find_some(seat);
}

static unsigned long handled;

static void use_in_handler(void)
{
    unsigned long turn = ADD(handled, 1);

    session_unref(find(READ(rumours[turn % RUMOURS])));
    if (turn % 4 == 0)
        session_unref(create());
}

/* The other threads are gone, wherever they were. Their objects live on here. */
static void use_in_child(void)
{
    unsigned long before;
    int i;

    for (i = 0; i < RUMOURS; i++)
        session_unref(find(rumours[i]));
    kref_pool_drain(&session_pool);
    before = released;
    for (i = 0; i < 100; i++) {
        struct session *first = create(), *second = create();

        CHECK(first != second && find(session_handle(first)) == first);
        session_unref(first);
        session_unref(first);
        session_unref(second);
    }
    CHECK(released == before + 200);
}

int main(void)
{
    static struct seat seats[] = {
        {.work = create_some, .leave = leave}, {.work = find_some, .leave = leave},
        {.work = do_all, .leave = leave},      {.work = find_all, .leave = leave},
        {.work = do_all, .leave = leave},      {.work = burst}, {.work = burst},
    };
    const unsigned int number = sizeof seats / sizeof seats[0];
    /* Places that are in use at a time, in handlers too, or parked; that lie in caches; that move to or from a cache. */
    const unsigned long most = OWNERS + number * (BURST + 10 + 2 * 32) + 63 * (unsigned long)sysconf(_SC_NPROCESSORS_CONF);
    unsigned long gets = 0, replaces = 0;
    unsigned int i;

    torture_begin();
    more_in_handlers = use_in_handler;
    more_in_children = use_in_child;
    torture_run(seats, number);
    for (i = 0; i < OWNERS * 64; i++)
        own(&seats[0], NULL);
    for (i = 0; i < number; i++) {
        gets += seats[i].gets;
        replaces += seats[i].replaces;
    }
    kref_pool_drain(&session_pool);
    CHECK(made && released == made);
    CHECK(session_pool.fresh - KREF_POOL_FIRST <= 4 * most); /* a search may miss a free place that moves */
    CHECK(kref_pool_count(&session_pool) == 0 && kref_pool_destroy(&session_pool) == 0);
    torture_happened("torture-pool: found", gets);
    torture_happened("owned", replaces);
    torture_happened("walked", walked);
    torture_report(seats, number);
    return 0;
}

/*
 * The events that a tracker gets of a pool's objects: names, lookups that find an object and that find none, and
 * nothing of a reference that a stale lookup takes on another object and gives back.
 */
#include "recorder.h"

struct session {
    int id;
    struct kref kref;
};

static void session_cleanup(struct session *session)
{
    write_down(&session->kref, "cleanup");
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

static void plain_release(struct kref *kref);
static struct kref_pool plain_pool = KREF_POOL_INIT(struct session, kref, plain_release);

static void plain_release(struct kref *kref)
{
    kref_pool_free(&plain_pool, kref);
}

static struct session *session_new(void)
{
    struct session *session = session_alloc();

    CHECK(session);
    session_publish(session);
    return session;
}

static void a_life(void)
{
    struct session *session = session_alloc(), *found;
    uint64_t handle = session_handle(session);
    unsigned cursor = 0;

    CHECK_TOLD(NULL, "");
    CHECK(!session_by_handle(handle));
    CHECK_TOLD(NULL, "missed a number 1");
    session_publish(session);
    CHECK_TOLD(&session->kref, "created session");
    found = session_by_handle(handle);
    CHECK_TOLD(&session->kref, "getting; got 2");
    CHECK(session_next(&cursor) == session);
    CHECK_TOLD(&session->kref, "getting; got 3");
    session_ref(found);
    CHECK_TOLD(&session->kref, "getting; got 4");
    session_unref(session);
    session_unref(session);
    session_unref(session);
    CHECK_TOLD(&session->kref, "putting 4; done; putting 3; done; putting 2; done");
    session_unref(found);
    CHECK_TOLD(&session->kref, "putting 1; released; cleanup; done");
    CHECK(!session_by_handle(handle));
    CHECK_TOLD(NULL, "missed a number 1");
}

static void the_next_object_at_the_place(void)
{
    struct session *first = session_new(), *second;

    session_unref(first);
    *told_events = '\0';
    second = session_new();
    CHECK(second == first);
    CHECK_TOLD(&second->kref, "created session");
    session_unref(second);
    *told_events = '\0';
    session_discard(session_alloc());
    CHECK_TOLD(NULL, "");
}

static void a_type_without_a_name(void)
{
    struct session *session = kref_pool_alloc(&plain_pool);

    CHECK(session);
    kref_pool_publish(&plain_pool, &session->kref);
    CHECK_TOLD(&session->kref, "created");
    CHECK(kref_put(&session->kref, plain_release));
    CHECK_TOLD(&session->kref, "putting 1; released; done");
    CHECK(told_release == plain_release && kref_pool_destroy(&plain_pool) == 0);
}

/* Also of the next object at a place: nobody has that handle yet. */
static void numbers_that_were_never_given(void)
{
    struct session *session = session_new();
    uint64_t handle = session_handle(session);

    *told_events = '\0';
    CHECK(!session_by_handle(0));
    CHECK_TOLD(NULL, "missed 0 0");
    CHECK(!session_by_handle(UINT64_MAX));
    CHECK_TOLD(NULL, "missed a number 0");
    CHECK(!session_by_handle(handle + 1000));
    CHECK_TOLD(NULL, "missed a number 0");
    CHECK(!session_by_handle(handle + ((uint64_t)1 << 32))); /* of the next object here */
    CHECK_TOLD(NULL, "missed a number 0");
    CHECK(!session_by_handle(handle & 0xffffffff));
    CHECK_TOLD(NULL, "missed a number 0");
    CHECK(!session_by_handle(handle - ((uint64_t)1 << 32))); /* of the object before */
    CHECK_TOLD(NULL, "missed a number 1");
    session_unref(session);
    *told_events = '\0';
}

/* A tracker that, before a lookup takes its reference, ends the object and begins another at its place. */
static struct session *to_end, *next;

static void getting_late(struct kref *kref)
{
    struct session *session = to_end;

    write_down(kref, "getting");
    if (!session)
        return;
    to_end = NULL;
    session_unref(session);
    next = session_new();
}

static void a_stale_lookup(void)
{
    struct kref_tracker late = writes_down;
    static struct kref_tracker tracker;
    uint64_t handle;

    late.getting = getting_late;
    tracker = late;
    CHECK(!kref_set_tracker(&tracker));
    to_end = session_new();
    handle = session_handle(to_end);
    *told_events = '\0';
    CHECK(!session_by_handle(handle));
    CHECK(next && !to_end && kref_read(&next->kref) == 1);
    /* The lookup took a reference on the next object. The end of the first one interrupted its get. */
    CHECK_TOLD(NULL, "getting; putting 1; released; cleanup; done; created session; missed a number 1");
    session_unref(next);
    CHECK_TOLD(&next->kref, "putting 1; released; cleanup; done");
}

/* Tables that end before the last member. */
static void an_older_table(void)
{
    static struct kref_tracker tracker;

    tracker = writes_down;
    tracker.size = offsetof(struct kref_tracker, missed);
    CHECK(!kref_set_tracker(&tracker));
    CHECK(!session_by_handle(1));
    CHECK_TOLD(NULL, "");
}

int main(void)
{
    CHECK(!kref_set_tracker(&writes_down));
    a_life();
    the_next_object_at_the_place();
    a_type_without_a_name();
    numbers_that_were_never_given();
    a_stale_lookup();
    an_older_table();
    CHECK(!kref_set_tracker(NULL));
    CHECK(!session_by_handle(1));
    CHECK(kref_pool_destroy(&session_pool) == 0);
    return 0;
}

/*
 * A pool in one thread: the life of an object, its handle, and each misuse.
 *
 * tools: static
 */
#include "../harness/check.h"

#include <errno.h>

struct session {
    int id;
    struct kref kref;
    char name[20];
};

static int cleanups;

static void session_cleanup(struct session *session)
{
    cleanups++;
    session->id = -session->id;
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

struct line {
    long value;
    struct kref kref;
};
static void line_release(struct kref *kref);
static struct kref_pool line_pool =
    KREF_POOL_INIT_WITH(struct line, kref, line_release, KREF_POOL_ZEROED | KREF_POOL_CACHE_LINES, 2);

static void line_release(struct kref *kref)
{
    kref_pool_free(&line_pool, kref);
}

/* Types whose alignment is more than a pointer's. */
struct wide {
    struct kref kref;
    char vector[16] __attribute__((aligned(16)));
};
struct whole {
    struct kref kref;
    char line[64] __attribute__((aligned(64)));
};
struct page {
    struct kref kref;
    char page[8] __attribute__((aligned(4096)));
};

static void unused_release(struct kref *kref)
{
    CHECK(!kref);
}

static struct told told;

/* Whether the last call was a violation of this kind, the only one. */
static int was_told(int kind, struct kref *kref)
{
    int is = told.times == 1 && (int)told.last.kind == kind && told.last.kref == kref;

    told.times = 0;
    return is;
}

static struct session *create(int id)
{
    struct session *session = session_alloc();

    CHECK(session);
    session->id = id;
    CHECK(!session_by_handle(session_handle(session)));
    session_publish(session);
    return session;
}

static void the_life_of_an_object(void)
{
    struct session *session = create(7), *found, *next;
    uint64_t handle = session_handle(session);
    unsigned cursor = 0;

    CHECK(handle);
    CHECK(kref_read(&session->kref) == 1);
    found = session_by_handle(handle);
    CHECK(found == session && found->id == 7);
    CHECK(kref_read(&session->kref) == 2);
    session_unref(session);
    CHECK(kref_pool_count(&session_pool) == 1);
    CHECK((next = session_next(&cursor)) == session);
    session_unref(next);
    CHECK(!session_next(&cursor));
    session_unref(found);
    CHECK(cleanups == 1);
    CHECK(!session_by_handle(handle));

    next = create(8);
    CHECK(next == session && session_handle(next) != handle);
    CHECK(!session_by_handle(handle));
    session_unref(next);
    next = session_alloc();
    CHECK(next->id == -8);
    session_discard(next);
    CHECK(kref_pool_count(&session_pool) == 0);
}

static void any_number_is_a_handle(void)
{
    struct session *session = create(1);
    uint64_t handle = session_handle(session);
    int bit;

    CHECK(!session_by_handle(0) && !session_by_handle(UINT64_MAX));
    for (bit = 0; bit < 64; bit++)
        CHECK(!session_by_handle(handle ^ (uint64_t)1 << bit));
    session_unref(session);
}

/* What the inlined lookup leaves to the library: a reference on an object that the handle does not name. */
static void a_lookup_that_took_another_object(void)
{
    struct session *session = create(9);
    int before = cleanups;

    kref_get(&session->kref);
    CHECK(!kref_pool_get_slow(&session_pool, 1, &session->kref));
    CHECK(kref_read(&session->kref) == 1);
    CHECK(!kref_pool_get_slow(&session_pool, 1, &session->kref)); /* the last one: parked */
    CHECK(kref_read(&session->kref) == 1 && cleanups == before);
    kref_pool_drain(&session_pool);
    CHECK(cleanups == before + 1 && kref_pool_count(&session_pool) == 0);
}

static void a_limit_and_its_error(void)
{
    struct line *first = kref_pool_alloc(&line_pool), *second = kref_pool_alloc(&line_pool);
    uint64_t handle;

    CHECK(first && second);
    errno = 0;
    CHECK(!kref_pool_alloc(&line_pool) && errno == ENOMEM);
    CHECK(((uintptr_t)first - 8) % 64 == 0 && ((uintptr_t)second - 8) % 64 == 0);
    first->value = 5;
    kref_pool_free(&line_pool, &first->kref);
    first = kref_pool_alloc(&line_pool);
    CHECK(first && first->value == 0);
    kref_pool_publish(&line_pool, &first->kref);
    handle = kref_pool_handle(&line_pool, &first->kref);
    kref_put(&first->kref, line_release);
    kref_pool_free(&line_pool, &second->kref);
    CHECK(kref_pool_destroy(&line_pool) == 0);
    CHECK(!kref_pool_get(&line_pool, handle) && kref_pool_count(&line_pool) == 0);
    first = kref_pool_alloc(&line_pool);
    CHECK(first && !kref_pool_get(&line_pool, handle));
    CHECK(kref_pool_handle(&line_pool, &first->kref) != handle);
    CHECK(kref_pool_alloc(&line_pool) && !kref_pool_alloc(&line_pool));
    CHECK(kref_pool_destroy(&line_pool) == 0);
}

/* Each object is aligned, and has lines of its own with the flag. */
static void are_aligned(struct kref_pool *pool, uintptr_t size, uintptr_t align, uintptr_t apart)
{
    uintptr_t objects[300];
    int i;

    for (i = 0; i < 300; i++) {
        objects[i] = (uintptr_t)kref_pool_alloc(pool);
        CHECK(objects[i] && objects[i] % align == 0);
        CHECK(objects[i] / apart == (objects[i] - 8) / apart || apart <= align);
        CHECK(!i || i == 256 || (objects[i] - 8) / apart > (objects[i - 1] + size - 1) / apart);
    }
    CHECK(kref_pool_destroy(pool) == 0);
}

#define ARE_ALIGNED(type, flags, apart)                                                            \
    do {                                                                                           \
        static struct kref_pool pool =                                                             \
            KREF_POOL_INIT_WITH(type, kref, unused_release, flags, 0);                             \
        are_aligned(&pool, sizeof(type), __alignof__(type), apart);                                \
    } while (0)

static void objects_are_aligned(void)
{
    ARE_ALIGNED(struct session, 0, 1);
    ARE_ALIGNED(struct wide, 0, 1);
    ARE_ALIGNED(struct whole, 0, 1);
    ARE_ALIGNED(struct page, 0, 1);
    ARE_ALIGNED(struct session, KREF_POOL_CACHE_LINES, 64);
    ARE_ALIGNED(struct wide, KREF_POOL_CACHE_LINES, 64);
    ARE_ALIGNED(struct whole, KREF_POOL_CACHE_LINES, 64);
    ARE_ALIGNED(struct page, KREF_POOL_CACHE_LINES, 64);
}

static void each_misuse_is_told(void)
{
    struct session *session = session_alloc(), *next;
    struct kref outside[3];
    unsigned cursor = 0;
    uint64_t handle;

    kref_init(&session->kref); /* the habit */
    session_publish(session);
    CHECK(was_told(KREF_BAD_PUBLISH, &session->kref));
    CHECK(kref_read(&session->kref) == (unsigned)KREF_SATURATED);

    session = create(2);
    handle = session_handle(session);
    session_publish(session); /* a second time */
    CHECK(was_told(KREF_BAD_PUBLISH, &session->kref));
    CHECK(session_by_handle(handle) == session); /* saturated, and so alive */
    CHECK(was_told(KREF_USE_OF_SATURATED, &session->kref));

    session = create(3);
    kref_pool_free(&session_pool, &session->kref); /* alive */
    CHECK(was_told(KREF_BAD_FREE, &session->kref));
    session_unref(session);
    kref_pool_free(&session_pool, &session->kref); /* free already */
    CHECK(was_told(KREF_BAD_FREE, &session->kref));
    session_publish(session); /* free already */
    CHECK(was_told(KREF_BAD_PUBLISH, &session->kref));
    CHECK(!session_by_handle(session_handle(session)) && kref_pool_count(&session_pool) == 2);

    session = create(4);
    session_unref(session);
    session_unref(session); /* a put too many */
    CHECK(was_told(KREF_PUT_ON_ZERO, &session->kref));
    CHECK(kref_pool_count(&session_pool) == 2 && !was_told(0, NULL));
    next = create(5);
    CHECK(next == session && kref_read(&next->kref) == 1);
    session_unref(next);
    session_unref(next); /* and nobody uses the place again */
    CHECK(was_told(KREF_PUT_ON_ZERO, &next->kref));
    while ((next = session_next(&cursor)))
        CHECK(was_told(KREF_USE_OF_SATURATED, &next->kref) && next != session);

    memset(outside, 0, sizeof outside);
    CHECK(kref_pool_handle(&session_pool, &outside[2]) == 0);

    CHECK(kref_pool_destroy(&session_pool) == 2);
    CHECK(told.times == 1 && told.last.kind == KREF_POOL_IN_USE);
}

int main(void)
{
    the_life_of_an_object();
    any_number_is_a_handle();
    a_lookup_that_took_another_object();
    a_limit_and_its_error();
    objects_are_aligned();
    kref_set_violation_handler(remember, &told);
    each_misuse_is_told();
    return 0;
}

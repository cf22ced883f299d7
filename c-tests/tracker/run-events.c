/*
 * The events that a tracker gets: each operation's events in their order, with the counts, the
 * holders and the release functions. errno is kept.
 */
#include "number_line.h"
#include "recorder.h"

#include <errno.h>

static struct kref kref;
#define COUNT (&kref.refcount)
static struct kref_slot slot;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static struct told told;

static void release(struct kref *kref)
{
    write_down(kref, "release");
}

static void release_mutex(struct kref *kref)
{
    release(kref);
    CHECK(!pthread_mutex_unlock(&mutex));
}

static void release_spin(struct kref *kref)
{
    release(kref);
    CHECK(!pthread_spin_unlock(&spin));
}

static struct kref *find(void *key)
{
    return key;
}

static void *put_in_thread(void *kref)
{
    CHECK(!kref_put(kref, release));
    return NULL;
}

/* A tracked object with n references. */
static void begin(int n)
{
    kref_init(&kref);
    if (n > 1)
        kref_count_add(n - 1, COUNT);
    CHECK(kref_read(&kref) == (unsigned)n && kref_count_read(COUNT) == (unsigned)n);
    CHECK(kref_is_tracked(&kref));
    *told_events = '\0';
    told_release = NULL;
}

#define CHECK_LAST(released_by, by)                                                                \
    do {                                                                                           \
        CHECK_TOLD(&kref, "putting 1; released; release; done");                                   \
        CHECK(told_release == by && kref.refcount.refs == RELEASED && kref_read(&kref) == 0);             \
    } while (0)

static void many(void)
{
    kref_init_as(&kref, "session");
    CHECK_TOLD(&kref, "created session");
    CHECK(kref_is_tracked(&kref) && kref_is_unique(&kref));
    kref_init_n(&kref, 3);
    CHECK_TOLD(&kref, "created; getting; got 2; got 3");
    CHECK(!kref_is_unique(&kref));
    CHECK(!kref_put_many(&kref, 2, release));
    CHECK_TOLD(&kref, "putting 3; putting 2; done");
    CHECK(told_release == release && kref_is_unique(&kref));
    CHECK(kref_put_many(&kref, 1, release));
    CHECK_TOLD(&kref, "putting 1; released; release; done");
    CHECK(!kref_is_unique(&kref));
}

static void a_life(void)
{
    kref_init(&kref);
    CHECK_TOLD(&kref, "created");
    CHECK(kref_read(&kref) == 1);
    kref_get(&kref);
    CHECK_TOLD(&kref, "getting; got 2");
    CHECK(kref_get_unless_zero(&kref));
    CHECK_TOLD(&kref, "getting; got 3");
    CHECK(!kref_put(&kref, release));
    CHECK_TOLD(&kref, "putting 3; done");
    CHECK(told_release == release && kref_read(&kref) == 2);
    CHECK(!kref_put(&kref, release));
    CHECK_TOLD(&kref, "putting 2; done");
    CHECK(kref_put(&kref, release));
    CHECK_LAST(release, release);
    CHECK(!kref_get_unless_zero(&kref));
    CHECK_TOLD(&kref, "");
}

static void holders(void)
{
    begin(1);
    kref_get_as(&kref, "cache");
    CHECK_TOLD(&kref, "getting; got 2 cache");
    kref_get_as(&kref, NULL);
    CHECK_TOLD(&kref, "getting; got 3");
    CHECK(!kref_put_as(&kref, release, "cache"));
    CHECK_TOLD(&kref, "putting 3 cache; done");
    CHECK(told_release == release && !kref_put_as(&kref, release, NULL));
    CHECK_TOLD(&kref, "putting 2; done");
    CHECK(kref_put_as(&kref, release, "owner"));
    CHECK_TOLD(&kref, "putting 1 owner; released; release; done");
}

/* A call of the tracker may take long. Other threads must not wait for the mutex meanwhile. */
static void mutex_is_free(void)
{
    CHECK(!pthread_mutex_trylock(&mutex) && !pthread_mutex_unlock(&mutex));
}

static void lookups(void)
{
    pthread_t thread;
    pthread_attr_t attributes;

    begin(1);
    at_got = mutex_is_free;
    CHECK(kref_lookup_mutex(&mutex, find, &kref) == &kref);
    at_got = NULL;
    CHECK_TOLD(&kref, "getting; got 2");
    CHECK(!kref_put_mutex(&kref, release_mutex, &mutex));
    CHECK_TOLD(&kref, "putting 2; done");
    CHECK(told_release == release_mutex && kref_put_mutex(&kref, release_mutex, &mutex));
    CHECK_LAST(release_mutex, release_mutex);
    CHECK(!kref_lookup_mutex(&mutex, find, &kref));
    CHECK_TOLD(&kref, "");

    begin(2);
    CHECK(!kref_put_lock(&kref, release_spin, &spin));
    CHECK_TOLD(&kref, "putting 2; done");
    CHECK(told_release == release_spin && kref_put_lock(&kref, release_spin, &spin));
    CHECK_LAST(release_spin, release_spin);

    begin(1);
    CHECK(!kref_slot_get(&slot));
    CHECK(!kref_slot_replace(&slot, &kref));
    CHECK_TOLD(&kref, "putting 1; getting; got 1 a kref_slot");
    CHECK(kref_slot_get(&slot) == &kref && kref_read(&kref) == 2);
    CHECK_TOLD(&kref, "getting; got 2");
    CHECK(kref_slot_replace(&slot, NULL) == &kref);
    CHECK_TOLD(&kref, "putting 2 a kref_slot; getting; got 2");
    CHECK(!kref_put(&kref, release) && kref_put(&kref, release));
    CHECK_TOLD(&kref, "putting 2; done; putting 1; released; release; done");

    begin(1);
    CHECK(!kref_thread_create(&thread, NULL, put_in_thread, &kref, &kref, release));
    join(thread);
    CHECK_TOLD(&kref, "getting; got 2; putting 2; done");
    CHECK(!pthread_attr_init(&attributes));
    CHECK(!pthread_attr_setstacksize(&attributes, IMPOSSIBLE_STACK));
    CHECK(kref_thread_create(&thread, &attributes, put_in_thread, &kref, &kref, release));
    CHECK_TOLD(&kref, "getting; got 2; putting 2; done");
    CHECK(told_release == release && kref_put(&kref, release));
    *told_events = '\0';
}

static void counters(void)
{
    begin(1);
    kref_count_inc(COUNT);
    CHECK_TOLD(&kref, "getting; got 2");
    kref_count_add(2, COUNT);
    CHECK_TOLD(&kref, "getting; got 3; got 4");
    CHECK(kref_count_inc_not_zero(COUNT) && kref_count_inc_not_zero_acquire(COUNT));
    CHECK_TOLD(&kref, "getting; got 5; getting; got 6");
    CHECK(kref_count_add_not_zero(2, COUNT) && kref_count_add_not_zero_acquire(1, COUNT));
    CHECK_TOLD(&kref, "getting; got 7; got 8; getting; got 9");
    kref_count_add(0, COUNT);
    CHECK_TOLD(&kref, "getting");
    CHECK(!kref_count_sub_and_test(2, COUNT));
    CHECK_TOLD(&kref, "putting 9; putting 8; done");
    CHECK(!told_release && !kref_count_dec_and_test(COUNT));
    CHECK_TOLD(&kref, "putting 7; done");
    kref_count_dec(COUNT);
    CHECK_TOLD(&kref, "putting 6; done");
    CHECK(kref_count_dec_not_one(COUNT));
    CHECK_TOLD(&kref, "putting 5; done");
    CHECK(!kref_count_dec_and_mutex_lock(COUNT, &mutex) && !kref_count_dec_if_one(COUNT));
    CHECK_TOLD(&kref, "putting 4; done");
    CHECK(!kref_count_dec_and_lock(COUNT, &spin) && kref_count_dec_not_one(COUNT));
    CHECK_TOLD(&kref, "putting 3; done; putting 2; done");
    CHECK(!kref_count_dec_not_one(COUNT));
    CHECK_TOLD(&kref, "");
    CHECK(kref_count_dec_if_one(COUNT) && kref_read(&kref) == 0);
    CHECK_TOLD(&kref, "putting 1; released");

    begin(1);
    CHECK(kref_count_dec_and_test(COUNT));
    CHECK_TOLD(&kref, "putting 1; released");
    begin(3);
    CHECK(kref_count_sub_and_test(3, COUNT));
    CHECK_TOLD(&kref, "putting 3; putting 2; putting 1; released");
    begin(1);
    CHECK(kref_count_dec_and_mutex_lock(COUNT, &mutex) && !pthread_mutex_unlock(&mutex));
    CHECK_TOLD(&kref, "putting 1; released");
    begin(1);
    CHECK(kref_count_dec_and_lock(COUNT, &spin) && !pthread_spin_unlock(&spin));
    CHECK_TOLD(&kref, "putting 1; released");
}

/* The operation was a violation, reported once to the tracker and once to the handler. */
static void CHECK_VIOLATION(const char *events, enum kref_violation_kind kind)
{
    CHECK_TOLD(&kref, events);
    CHECK(told.times == 1 && told.last.kind == kind && told.last.kref == &kref);
    CHECK(kref.refcount.refs == SATURATED);
    told.times = 0;
}

static void misuse(void)
{
    begin(1);
    CHECK(kref_put(&kref, release));
    CHECK_LAST(release, release);
    kref_get(&kref);
    CHECK_VIOLATION("violated 1", KREF_GET_ON_ZERO);
    kref_count_set(COUNT, 0);
    CHECK(!kref_put(&kref, release));
    CHECK_VIOLATION("violated 3", KREF_PUT_ON_ZERO);
    CHECK(kref_get_unless_zero(&kref));
    CHECK_VIOLATION("violated 5", KREF_USE_OF_SATURATED);

    begin(1);
    kref_count_dec(COUNT);
    CHECK_VIOLATION("violated 4", KREF_DEC_TO_ZERO);
    begin(2);
    CHECK(!kref_count_sub_and_test(3, COUNT));
    CHECK_VIOLATION("violated 3", KREF_PUT_ON_ZERO);
    begin(2);
    CHECK(!kref_count_sub_and_test(-1, COUNT));
    CHECK_VIOLATION("violated 3", KREF_PUT_ON_ZERO);
    begin(2);
    kref_count_add(-1, COUNT);
    CHECK_VIOLATION("getting; violated 2", KREF_OVERFLOW);
}

/* A tracked count is let go at four million references: that is no violation, and it is never released. */
static void goes_on(void)
{
    static const struct kref_tracker quiet = { .size = sizeof quiet, .created = created };

    CHECK(!kref_set_tracker(&quiet));
    begin(4000000);
    CHECK(!kref_set_tracker(&writes_down));
    CHECK(!kref_count_dec_and_test(COUNT) && kref_count_inc_not_zero(COUNT));
    CHECK(kref_read(&kref) == 4000000);
    *told_events = '\0';
    kref_get(&kref);
    CHECK_TOLD(&kref, "getting; let go");
    kref_get(&kref);
    CHECK(kref_count_inc_not_zero(COUNT) && kref_count_add_not_zero(5000000, COUNT));
    CHECK(!kref_put(&kref, release) && !kref_count_sub_and_test(3000000, COUNT));
    CHECK(!kref_count_dec_and_test(COUNT) && kref_count_dec_not_one(COUNT));
    CHECK(!kref_count_dec_if_one(COUNT));
    kref_count_dec(COUNT);
    CHECK_TOLD(&kref, "");
    CHECK(told.times == 0 && (int)kref_read(&kref) == KREF_SATURATED);
    /* More than an untracked count can have is an overflow. */
    begin(2);
    kref_count_add(INT_MAX, COUNT);
    CHECK_VIOLATION("getting; violated 2", KREF_OVERFLOW);
}

/* An untracked object has no events, and behaves as without a tracker. */
static void untracked(void)
{
    static struct kref fixed = KREF_INIT(1);

    kref_get(&fixed);
    CHECK(!kref_put(&fixed, release) && !*told_events && kref_read(&fixed) == 1);
    track_next = 0;
    kref_init(&kref);
    CHECK_TOLD(&kref, "created");
    track_next = 1;
    kref_get_as(&kref, "somebody");
    CHECK(references(&kref) == 2 && !kref_put(&kref, release));
    CHECK_TOLD(&kref, "");
    CHECK(kref_put_as(&kref, release, "somebody"));
    CHECK_TOLD(&kref, "release");
    kref_get(&kref);
    CHECK_VIOLATION("violated 1", KREF_GET_ON_ZERO);
}

/* A tracker with members that are NULL, or that lie beyond its size; and no tracker. */
static void tables(void)
{
    static struct kref_tracker some = { .created = created };
    size_t size;

    for (size = 0; size <= sizeof some; size++) {
        some.size = size;
        CHECK(kref_set_tracker(&some) == (size < sizeof size || size % sizeof size ? -EINVAL : 0));
    }
    some.size = 1 << 20;
    CHECK(kref_set_tracker(&some) == -EINVAL);
    some = writes_down;
    some.size = 2 * sizeof some; /* as in a newer libkref */
    CHECK(!kref_set_tracker(&some));
    a_life();

    some.size = offsetof(struct kref_tracker, putting);
    CHECK(!kref_set_tracker(&some));
    begin(1);
    kref_get(&kref);
    CHECK_TOLD(&kref, "getting; got 2");
    CHECK(!kref_put(&kref, release) && kref_put(&kref, release));
    CHECK_TOLD(&kref, "release");
    CHECK(kref_track_report(1) == -ENOTSUP && kref_track_checkpoint() == -ENOTSUP);

    some.size = sizeof some;
    some.getting = NULL;
    some.done = NULL;
    some.report = NULL;
    begin(1);
    kref_get(&kref);
    CHECK(!kref_put(&kref, release));
    CHECK_TOLD(&kref, "got 2; putting 2");
    CHECK(kref_track_report(1) == -ENOTSUP && kref_track_checkpoint() == 0);
    CHECK_TOLD(NULL, "checkpoint");
    kref_balance_begin("session");
    CHECK(kref_balance_end() == 7);
    CHECK_TOLD(NULL, "begins session; ends");

    /* Without a tracker, objects that were tracked go on counting. */
    CHECK(!kref_set_tracker(NULL));
    kref_get(&kref);
    CHECK(kref_read(&kref) == 2 && !kref_put(&kref, release) && kref_put(&kref, release));
    CHECK_TOLD(&kref, "release");
    kref_init(&kref);
    CHECK(kref.refcount.refs == ONE_REFERENCE && !*told_events);
    CHECK(kref_track_report(1) == -ENOTSUP && kref_track_checkpoint() == -ENOTSUP);
    kref_balance_begin(NULL);
    CHECK(kref_balance_end() == 0 && !*told_events);
}

static void got_and_lost_errno(struct kref *kref, unsigned int count, const char *holder)
{
    (void)kref, (void)count, (void)holder;
    errno = EDOM;
}

static void errno_is_kept(void)
{
    static const struct kref_tracker careless = { .size = sizeof careless,
                                                  .created = created,
                                                  .got = got_and_lost_errno };

    CHECK(!kref_set_tracker(&careless));
    begin(1);
    errno = ENOENT;
    kref_get(&kref);
    CHECK(errno == ENOENT && kref_read(&kref) == 2);
}

int main(void)
{
    CHECK(!pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
    kref_set_violation_handler(remember, &told);
    CHECK(kref_track_report(1) == -ENOTSUP);
    CHECK(!kref_set_tracker(&writes_down));
    a_life();
    many();
    holders();
    lookups();
    counters();
    misuse();
    goes_on();
    untracked();
    CHECK(!kref_track_report(7));
    CHECK_TOLD(NULL, "report 7");
    tables();
    errno_is_kept();
    return 0;
}

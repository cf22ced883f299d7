/*
 * A misuse of an operation is reported with its kind, the count's address, and an address in the
 * function that misused it, also if libkref is a shared library.
 */
#include "misuse.h"
#include "number_line.h"

static struct kref kref;
static struct kref_slot slot;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static int sink;

static void release(struct kref *released)
{
    (void)released;
    CHECK(!"a misused count was released");
}

static struct kref *find(void *key)
{
    return key;
}

static void *never(void *arg)
{
    return arg;
}

OPERATION(get, kref_get(&kref))
OPERATION(put, sink = kref_put(&kref, release))
OPERATION(get_unless_zero, sink = kref_get_unless_zero(&kref))
OPERATION(put_mutex, sink = kref_put_mutex(&kref, release, &mutex))
OPERATION(put_lock, sink = kref_put_lock(&kref, release, &spin))
OPERATION(lookup_mutex, sink = !kref_lookup_mutex(&mutex, find, &kref))
OPERATION(slot_get, sink = !kref_slot_get(&slot))
OPERATION(count_add, kref_count_add(2, &kref.refcount))
OPERATION(count_inc, kref_count_inc(&kref.refcount))
OPERATION(count_add_not_zero, sink = kref_count_add_not_zero(2, &kref.refcount))
OPERATION(count_inc_not_zero, sink = kref_count_inc_not_zero(&kref.refcount))
OPERATION(count_add_acquire, sink = kref_count_add_not_zero_acquire(2, &kref.refcount))
OPERATION(count_inc_acquire, sink = kref_count_inc_not_zero_acquire(&kref.refcount))
OPERATION(count_sub_and_test, sink = kref_count_sub_and_test(2, &kref.refcount))
OPERATION(count_add_negative, kref_count_add(-1, &kref.refcount))
OPERATION(count_add_not_zero_negative, sink = kref_count_add_not_zero(-1, &kref.refcount))
OPERATION(count_add_acquire_negative, sink = kref_count_add_not_zero_acquire(-1, &kref.refcount))
OPERATION(count_sub_and_test_negative, sink = kref_count_sub_and_test(-1, &kref.refcount))
OPERATION(count_dec_and_test, sink = kref_count_dec_and_test(&kref.refcount))
OPERATION(count_dec, kref_count_dec(&kref.refcount))
OPERATION(count_dec_not_one, sink = kref_count_dec_not_one(&kref.refcount))
OPERATION(count_dec_if_one, sink = kref_count_dec_if_one(&kref.refcount))
OPERATION(count_dec_mutex, sink = kref_count_dec_and_mutex_lock(&kref.refcount, &mutex))
OPERATION(count_dec_lock, sink = kref_count_dec_and_lock(&kref.refcount, &spin))

static NOINLINE void thread_create(void)
{
    pthread_t thread;

    CHECK(!kref_thread_create(&thread, NULL, never, NULL, &kref, release));
    join(thread);
}

/* An inline function at the end of a function must not become a jump: the caller would be lost. */
#ifndef KREF_NO_INLINE
static NOINLINE void last_get(void)
{
    kref_get(&kref);
}

static NOINLINE int last_put_of(struct kref *given)
{
    return kref_put(given, release);
}

static NOINLINE int last_get_unless_zero_of(struct kref *given)
{
    return kref_get_unless_zero(given);
}
#endif

#define QUIET 0 /* no violation is reported */

static const struct {
    const char *name;
    void (*misuse)(void);
    int at_zero, at_full;
} operations[] = {
    { "kref_get", get, KREF_GET_ON_ZERO, KREF_OVERFLOW },
    { "kref_put", put, KREF_PUT_ON_ZERO, QUIET },
    { "kref_get_unless_zero", get_unless_zero, QUIET, KREF_OVERFLOW },
    { "kref_put_mutex", put_mutex, KREF_PUT_ON_ZERO, QUIET },
    { "kref_put_lock", put_lock, KREF_PUT_ON_ZERO, QUIET },
    { "kref_lookup_mutex", lookup_mutex, QUIET, KREF_OVERFLOW },
    { "kref_slot_get", slot_get, KREF_GET_ON_ZERO, KREF_OVERFLOW },
    { "kref_thread_create", thread_create, KREF_GET_ON_ZERO, KREF_OVERFLOW },
    { "kref_count_add", count_add, KREF_GET_ON_ZERO, KREF_OVERFLOW },
    { "kref_count_inc", count_inc, KREF_GET_ON_ZERO, KREF_OVERFLOW },
    { "kref_count_add_not_zero", count_add_not_zero, QUIET, KREF_OVERFLOW },
    { "kref_count_inc_not_zero", count_inc_not_zero, QUIET, KREF_OVERFLOW },
    { "kref_count_add_not_zero_acquire", count_add_acquire, QUIET, KREF_OVERFLOW },
    { "kref_count_inc_not_zero_acquire", count_inc_acquire, QUIET, KREF_OVERFLOW },
    { "kref_count_sub_and_test", count_sub_and_test, KREF_PUT_ON_ZERO, QUIET },
    { "kref_count_dec_and_test", count_dec_and_test, KREF_PUT_ON_ZERO, QUIET },
    { "kref_count_dec", count_dec, KREF_PUT_ON_ZERO, QUIET },
    { "kref_count_dec_not_one", count_dec_not_one, KREF_PUT_ON_ZERO, QUIET },
    { "kref_count_dec_and_mutex_lock", count_dec_mutex, KREF_PUT_ON_ZERO, QUIET },
    { "kref_count_dec_and_lock", count_dec_lock, KREF_PUT_ON_ZERO, QUIET },
};

static struct told told;

static void check(const char *name, void (*misuse)(void), int stored, int kind)
{
    kref.refcount.refs = stored;
    told.times = 0;
    misuse();
    if (kind == QUIET ? told.times != 0
                      : told.times != 1 || (int)told.last.kind != kind || told.last.kref != &kref ||
                            !is_in(told.last.caller, misuse)) {
        fprintf(stderr, "%s at %#x: told %d times, kind %d, count %p, caller %p (kref %p, in %#zx)\n",
                name, (unsigned)stored, told.times, told.last.kind, told.last.kref, told.last.caller,
                (void *)&kref, (size_t)misuse);
        exit(1);
    }
    CHECK(kind == QUIET || kref.refcount.refs == SATURATED);
}

int main(void)
{
    size_t i;

    CHECK(!pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
    kref_set_violation_handler(remember, &told);
    kref_init(&kref);
    CHECK(!kref_slot_replace(&slot, &kref));

    for (i = 0; i < sizeof operations / sizeof *operations; i++) {
        check(operations[i].name, operations[i].misuse, RELEASED, operations[i].at_zero);
        check(operations[i].name, operations[i].misuse, NEVER_INITIALISED,
              operations[i].at_zero ? KREF_NEVER_INITIALISED : QUIET);
        check(operations[i].name, operations[i].misuse, SATURATED, KREF_USE_OF_SATURATED);
        if (operations[i].at_full)
            check(operations[i].name, operations[i].misuse, FULL, operations[i].at_full);
    }
    check("kref_count_dec", count_dec, ONE_REFERENCE, KREF_DEC_TO_ZERO);
    check("kref_count_sub_and_test", count_sub_and_test, ONE_REFERENCE, KREF_PUT_ON_ZERO);
    check("kref_count_dec_if_one", count_dec_if_one, ONE_REFERENCE, QUIET);
    check("kref_count_dec_not_one", count_dec_not_one, ONE_REFERENCE, QUIET);
    check("kref_get_unless_zero", get_unless_zero, RELEASED, QUIET);

#ifndef KREF_NO_INLINE
    check("kref_get at the end of a function", last_get, RELEASED, KREF_GET_ON_ZERO);
    kref_count_set(&kref.refcount, 0);
    sink = last_put_of(&kref);
    CHECK(is_in(told.last.caller, (void (*)(void))last_put_of));
    sink = last_get_unless_zero_of(&kref);
    CHECK(is_in(told.last.caller, (void (*)(void))last_get_unless_zero_of));
#endif

    /* A negative number of references is a violation. */
    check("kref_count_add(-1)", count_add_negative, ONE_REFERENCE + 2, KREF_OVERFLOW);
    check("kref_count_add_not_zero(-1)", count_add_not_zero_negative, ONE_REFERENCE + 2, KREF_OVERFLOW);
    check("kref_count_add_not_zero_acquire(-1)", count_add_acquire_negative, ONE_REFERENCE + 2, KREF_OVERFLOW);
    check("kref_count_sub_and_test(-1)", count_sub_and_test_negative, ONE_REFERENCE + 2, KREF_PUT_ON_ZERO);

    /* A slot's get does not return an object whose count is zero. */
    kref_count_set(&kref.refcount, 0);
    CHECK(!kref_slot_get(&slot));

    return 0;
}

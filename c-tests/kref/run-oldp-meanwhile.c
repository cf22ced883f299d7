/*
 * The count before is the one that the operation changed. Between the operation's load and its exchange, another
 * thread takes a reference, or gives one back: here, the same thread does that before the exchange. So the
 * operation must begin again, and the old count must be the new one.
 */
#include "check.h"

static struct refcount_struct count;
static int change;

static void meanwhile(void)
{
    int by = change;

    change = 0;
    if (by > 0)
        kref_count_add(by, &count);
    else if (by < 0)
        CHECK(!kref_count_sub_and_test(-by, &count));
}

/* Inside its own expansion the name is the compiler's function. */
#define __atomic_compare_exchange_n(where, old, new, weak, success, failure)                       \
    (meanwhile(), __atomic_compare_exchange_n(where, old, new, weak, success, failure))
/* The two operations of refcount_warn_saturate() that report. */
static void get_and_put(struct refcount_struct *r);
#define kref_count_sub_and_test(i, r) (get_and_put(r), (kref_count_sub_and_test)(i, r))
#define kref_count_dec(r) (get_and_put(r), (kref_count_dec)(r))
#include <kref/linux/refcount.h>
#undef kref_count_sub_and_test
#undef kref_count_dec

/* Two other threads: one gets, and is interrupted after its increment, and one puts. */
static int warns;
static void get_and_put(struct refcount_struct *r)
{
    if (!warns)
        return;
    __atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
    CHECK(!(kref_count_dec_and_test)(r));
}

static int old;

/* The count is 5 and becomes 5 + by before the operation's exchange. Then it is `after`. */
#define CHECK_STEP(by, result, operation, after)                                                   \
    do {                                                                                           \
        refcount_set(&count, 5);                                                                   \
        change = by;                                                                               \
        CHECK((operation) == (result));                                                            \
        CHECK(old == 5 + (by) && refcount_read(&count) == (after) && !change);                     \
    } while (0)

int main(void)
{
    struct told told = { 0 };

    kref_set_violation_handler(remember, &told);
    CHECK_STEP(1, 0, (__refcount_inc(&count, &old), 0), 7);
    CHECK_STEP(-1, 0, (__refcount_add(3, &count, &old), 0), 7);
    CHECK_STEP(2, 1, __refcount_inc_not_zero(&count, &old), 8);
    CHECK_STEP(-2, 1, __refcount_add_not_zero(3, &count, &old), 6);
    CHECK_STEP(1, 1, __refcount_inc_not_zero_acquire(&count, &old), 7);
    CHECK_STEP(1, 1, __refcount_add_not_zero_acquire(2, &count, &old), 8);
    CHECK_STEP(1, 1, __refcount_inc_not_zero_limited_acquire(&count, &old, 7), 7);
    CHECK_STEP(2, 0, __refcount_inc_not_zero_limited_acquire(&count, &old, 7), 7);
    CHECK_STEP(2, 0, __refcount_add_not_zero_limited_acquire(2, &count, &old, 8), 7);
    CHECK_STEP(1, 0, (__refcount_dec(&count, &old), 0), 5);
    CHECK_STEP(-3, 0, __refcount_dec_and_test(&count, &old), 1);
    CHECK_STEP(-4, 1, __refcount_dec_and_test(&count, &old), 0);
    CHECK_STEP(-2, 1, __refcount_sub_and_test(3, &count, &old), 0);
    CHECK_STEP(2, 0, __refcount_sub_and_test(5, &count, &old), 2);
    CHECK(told.times == 0);

    /* The last but one reference is given back meanwhile, and then there is one too few. */
    CHECK_STEP(-4, 0, (__refcount_dec(&count, &old), 0), (unsigned int)REFCOUNT_SATURATED);
    CHECK(told.times == 1 && told.last.kind == KREF_DEC_TO_ZERO);
    CHECK_STEP(-2, 0, __refcount_sub_and_test(4, &count, &old), (unsigned int)REFCOUNT_SATURATED);
    CHECK(told.times == 2 && told.last.kind == KREF_PUT_ON_ZERO);

    /* refcount_warn_saturate() on a count with references: meanwhile no put is the last. */
    for (warns = REFCOUNT_SUB_UAF; warns <= REFCOUNT_DEC_LEAK; warns++) {
        told.times = 0;
        refcount_set(&count, 1000);
        refcount_warn_saturate(&count, (enum refcount_saturation_type)warns);
        CHECK(told.times == 1 && told.last.kind == KREF_PUT_ON_ZERO);
        CHECK(refcount_read(&count) == (unsigned int)REFCOUNT_SATURATED);
    }
    return 0;
}

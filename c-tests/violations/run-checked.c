/*
 * With -DKREF_CHECKED=N a count of more than N references is saturated and reported. So memory in which nobody
 * has initialised a count is found, although its bytes look like a count with many references.
 */
#ifndef KREF_NO_INLINE

#define KREF_CHECKED 1000
#include "number_line.h"

static struct kref kref;
static struct told told;
static int releases;

static void release(struct kref *released)
{
    (void)released;
    releases++;
}

static void get(void)
{
    kref_get(&kref);
}

static void put(void)
{
    CHECK(!kref_put(&kref, release));
}

static void get_unless_zero(void)
{
    CHECK(kref_get_unless_zero(&kref));
}

static void count_inc(void)
{
    kref_count_inc(&kref.refcount);
}

static void count_dec_and_test(void)
{
    CHECK(!kref_count_dec_and_test(&kref.refcount));
}

static void (*const operations[])(void) = { get, put, get_unless_zero, count_inc, count_dec_and_test };

/* Each operation on this stored value, which must be refused or not. */
static void check(int stored, int refused)
{
    size_t i;

    for (i = 0; i < sizeof operations / sizeof *operations; i++) {
        kref.refcount.refs = stored;
        told.times = 0;
        operations[i]();
        CHECK(told.times == refused);
        CHECK(!refused || (told.last.kind == KREF_USE_OF_SATURATED && kref_read(&kref) == (unsigned)KREF_SATURATED));
    }
}

int main(void)
{
    static const unsigned char fills[] = { 0x80, 0xa5, 0xaa, 0xcd, 0xfe };
    int stored, n;
    size_t i;

    kref_set_violation_handler(remember, &told);
    for (i = 0; i < sizeof fills; i++) {
        memset(&stored, fills[i], sizeof stored);
        check(stored, 1);
    }
    check(ONE_REFERENCE + 1, 0);
    check(ONE_REFERENCE + 999, 0);
    check(ONE_REFERENCE + 1000, 1);
    check(FULL, 1);

    told.times = 0;
    kref_init(&kref);
    for (n = 1; n < 1000; n++)
        kref_get(&kref);
    while (n--)
        kref_put(&kref, release);
    CHECK(releases == 1 && told.times == 0);
    kref_put(&kref, release); /* what was found without the check is still found */
    CHECK(told.times == 1 && told.last.kind == KREF_PUT_ON_ZERO);
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

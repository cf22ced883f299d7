/*
 * More references than a percpu_ref can count leak the object: the count saturates, and no put releases
 * it. The test writes large numbers into the CPUs' counters, because counting that far takes years.
 *
 * tools: static
 */
#include "check.h"

#include <limits.h>

/* The distance of two CPUs' counters, as kref/percpu_inline.h has it. */
#define DISTANCE 512

/* What the counters may hold together. */
#define MOST (LONG_MAX / 32)

/* What a sequence adds at most, as kref/percpu_inline.h has it. More goes to the shared word. */
#define MOST_HERE 127

/* What one operation may add at most. */
#define MOST_AT_ONCE (LONG_MAX > INT_MAX ? INT_MAX : 0x7fff)

static int released;
static struct told told;

static void release(struct percpu_ref *ref)
{
    (void)ref;
    released++;
}

/* A saturated object keeps its memory. So each case has a reference of its own, which stays reachable. */
static struct percpu_ref *start_over(void)
{
    static struct percpu_ref refs[64];
    static size_t used;

    CHECK(used < sizeof refs / sizeof *refs);
    released = 0;
    memset(&told, 0, sizeof told);
    CHECK(!percpu_ref_init(&refs[used], release, PERCPU_REF_ALLOW_REINIT));
    return &refs[used++];
}

static void expect(int kind, const struct percpu_ref *ref)
{
    CHECK(told.times == 1 && (int)told.last.kind == kind && told.last.kref == (const void *)ref);
    memset(&told, 0, sizeof told);
}

/* The object leaks: whatever is put, nothing is released. */
static void is_saturated(struct percpu_ref *ref)
{
    CHECK(!percpu_ref_is_zero(ref));
    percpu_ref_put_many(ref, 5);
    expect(KREF_USE_OF_SATURATED, ref);
    percpu_ref_put_many(ref, MOST_AT_ONCE);
    expect(KREF_USE_OF_SATURATED, ref);
    CHECK(!released && !percpu_ref_is_zero(ref));
}

/* The shared word checks what is too much for one step, and counts up to there. */
static void steps(void)
{
    static const unsigned long right[] = { 1, MOST_HERE - 1, MOST_HERE, MOST_HERE + 1, MOST_AT_ONCE };
    static const unsigned long wrong[] = { MOST_AT_ONCE + 1ul, UINT_MAX, LONG_MAX, 1ul + LONG_MAX,
                                           ULONG_MAX };
    struct percpu_ref *ref = start_over();
    int i;

    for (i = 0; i < 5; i++) {
        percpu_ref_get_many(ref, right[i]);
        CHECK(percpu_ref_tryget_many(ref, right[i]));
        percpu_ref_put_many(ref, right[i]);
    }
    percpu_ref_kill(ref);
    for (i = 0; i < 5; i++) {
        CHECK(!released && !percpu_ref_is_zero(ref));
        percpu_ref_put_many(ref, right[i]);
    }
    CHECK(released == 1 && !told.times);
    percpu_ref_exit(ref);

    for (i = 0; i < 15; i++) {
        unsigned long n = wrong[i / 3];

        ref = start_over();
        if (i % 3 == 0)
            percpu_ref_get_many(ref, n);
        else if (i % 3 == 1)
            CHECK(percpu_ref_tryget_many(ref, n));
        else
            percpu_ref_put_many(ref, n);
        expect(i % 3 == 2 ? KREF_PUT_ON_ZERO : KREF_OVERFLOW, ref);
        percpu_ref_get_many(ref, MOST_HERE + 1); /* on the word, which is saturated in either mode */
        expect(KREF_USE_OF_SATURATED, ref);
        CHECK(percpu_ref_tryget_many(ref, MOST_HERE + 1));
        expect(KREF_USE_OF_SATURATED, ref);
        percpu_ref_put_many(ref, MOST_HERE + 1);
        expect(KREF_USE_OF_SATURATED, ref);
        percpu_ref_kill(ref);
        expect(KREF_USE_OF_SATURATED, ref);
        is_saturated(ref);
    }
}

#ifdef __LP64__

static void set_counter(struct percpu_ref *ref, int cpu, long value)
{
    *(long *)((char *)ref->counters + cpu * DISTANCE) = value;
}

/* The word of a percpu_ref in percpu mode: a count in units of 4, and the flag of the mode. */
static void set_word(struct percpu_ref *ref, long value)
{
    *(long *)ref->data = (value & ~3l) | 2;
}

/* Kills a reference whose counters of the first two CPUs are as given. */
static struct percpu_ref *killed_with(long first, long second)
{
    struct percpu_ref *ref = start_over();

    set_counter(ref, 0, first);
    if (ref->cpus > 1)
        set_counter(ref, 1, second);
    percpu_ref_kill(ref);
    CHECK(!ref->cpus && !released);
    return ref;
}

/* A step on the CPU that the thread runs on takes its counter beyond LONG_MAX. */
static void one_counter(void)
{
    struct percpu_ref *ref = start_over();
    unsigned int i;

    for (i = 0; i < ref->cpus; i++)
        set_counter(ref, (int)i, LONG_MAX - 3);
    percpu_ref_get_many(ref, 4);
    CHECK(!told.times);
    percpu_ref_kill(ref);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);
}

static void sums(void)
{
    struct percpu_ref *ref = start_over();
    int cpus = (int)ref->cpus;

    /* Without an overflow, whatever the parts are. */
    percpu_ref_exit(ref);
    ref = killed_with(MOST, 0);
    CHECK(!told.times && !percpu_ref_is_zero(ref));
    if (cpus > 1) {
        ref = killed_with(MOST, 1 - MOST);
        CHECK(!told.times);
        percpu_ref_put(ref);
        CHECK(released == 1 && !told.times);
        percpu_ref_exit(ref);
    }

    ref = killed_with(MOST + 1, 0);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);
    ref = start_over();
    set_word(ref, LONG_MAX / 2 + 1);
    percpu_ref_get_many(ref, MOST_HERE + 1); /* on the word, which is full */
    expect(KREF_OVERFLOW, ref);
    percpu_ref_kill(ref);
    expect(KREF_USE_OF_SATURATED, ref);
    is_saturated(ref);
    ref = start_over();
    set_word(ref, LONG_MAX / 2 - 64);
    set_counter(ref, 0, MOST);
    percpu_ref_kill(ref);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);
    ref = killed_with(LONG_MIN, 0);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);
    if (cpus > 1) {
        ref = killed_with(MOST, MOST); /* each is a count, and the sum is none */
        expect(KREF_OVERFLOW, ref);
        is_saturated(ref);
        ref = killed_with(LONG_MIN, LONG_MIN); /* 2^64: the sum of 64 bits is 0 */
        expect(KREF_OVERFLOW, ref);
        is_saturated(ref);
        ref = killed_with(LONG_MIN + 7, LONG_MAX); /* each has wrapped, and the sum is small */
        expect(KREF_OVERFLOW, ref);
        is_saturated(ref);
    }
}

/* A saturated word stays saturated, whatever the sum of the counters is. */
static void saturated_before(void)
{
    static const long sums[] = { MOST, -MOST, 0, 1 };
    size_t i;

    for (i = 0; i < sizeof sums / sizeof *sums; i++) {
        struct percpu_ref *ref = start_over();

        percpu_ref_get_many(ref, MOST_AT_ONCE + 1ul);
        expect(KREF_OVERFLOW, ref);
        set_counter(ref, 0, sums[i]);
        percpu_ref_switch_to_atomic_sync(ref);
        expect(KREF_USE_OF_SATURATED, ref);
        percpu_ref_kill(ref);
        expect(KREF_USE_OF_SATURATED, ref);
        is_saturated(ref);
    }
}

/* A reference whose shared word has as many references as it can have. */
static struct percpu_ref *full(void)
{
    struct percpu_ref *ref = start_over();
    int i;

    for (i = 0; i < 4; i++) {
        set_counter(ref, 0, MOST);
        percpu_ref_switch_to_atomic_sync(ref); /* adds the counter to the word */
        percpu_ref_switch_to_percpu(ref);
    }
    percpu_ref_get_many(ref, MOST_AT_ONCE);
    CHECK(!told.times);
    return ref;
}

/* One more, in percpu mode, in atomic mode, or while the counters are added up. */
static void full_word(void)
{
    struct percpu_ref *ref = full();

    percpu_ref_get_many(ref, MOST_AT_ONCE);
    expect(KREF_OVERFLOW, ref);
    percpu_ref_kill(ref);
    expect(KREF_USE_OF_SATURATED, ref);
    is_saturated(ref);

    ref = full();
    CHECK(percpu_ref_tryget_many(ref, MOST_AT_ONCE));
    expect(KREF_OVERFLOW, ref);
    percpu_ref_kill(ref);
    expect(KREF_USE_OF_SATURATED, ref);
    is_saturated(ref);

    ref = full();
    percpu_ref_kill(ref);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);

    ref = full();
    percpu_ref_put_many(ref, MOST_AT_ONCE);
    percpu_ref_switch_to_atomic_sync(ref);
    percpu_ref_get_many(ref, MOST_AT_ONCE);
    CHECK(!told.times);
    percpu_ref_get(ref);
    expect(KREF_OVERFLOW, ref);
    is_saturated(ref);
}

#endif

int main(void)
{
    kref_set_violation_handler(remember, &told);
    steps();
#ifdef __LP64__
    if (kref_rseq_available()) {
        one_counter();
        sums();
        saturated_before();
        full_word();
    }
#endif
    return 0;
}

/*
 * Compiled, but not run. codegen.rs compares the instructions of kref.h's inline functions with
 * those of the twins in this file, which do one atomic operation, one compare and nothing else.
 */
#include <kref.h>

#define TWIN static inline __attribute__((always_inline))
#define IS_LIVE(old) __builtin_expect((unsigned)(old) - 1u < (unsigned)INT_MAX - 1u, 1)

void twin_get_slow(struct kref *kref, int old) __attribute__((cold));
void twin_get_as_slow(struct kref *kref, const char *holder, int old) __attribute__((cold));
int twin_get_unless_zero_slow(struct kref *kref) __attribute__((cold));
int twin_put_slow(struct kref *kref, void (*release)(struct kref *), int old) __attribute__((cold));
int twin_put_as_slow(struct kref *kref, void (*release)(struct kref *),
                     const char *holder, int old) __attribute__((cold));

TWIN void twin_get(struct kref *kref)
{
    int old = __atomic_fetch_add(&kref->refcount.refs, 1, __ATOMIC_RELAXED);

    if (!IS_LIVE(old)) {
        twin_get_slow(kref, old);
        __asm__ volatile("");
    }
}

TWIN void twin_get_as(struct kref *kref, const char *holder)
{
    int old = __atomic_fetch_add(&kref->refcount.refs, 1, __ATOMIC_RELAXED);

    if (!IS_LIVE(old)) {
        twin_get_as_slow(kref, holder, old);
        __asm__ volatile("");
    }
}

TWIN int twin_get_unless_zero(struct kref *kref)
{
    int old = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);

    do {
        if (!IS_LIVE(old)) {
            if (old) {
                old = twin_get_unless_zero_slow(kref);
                __asm__ volatile("");
            }
            return old;
        }
    } while (!__atomic_compare_exchange_n(&kref->refcount.refs, &old, old + 1, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 1;
}

TWIN int twin_put(struct kref *kref, void (*release)(struct kref *))
{
    int old = __atomic_fetch_sub(&kref->refcount.refs, 1, __ATOMIC_RELEASE);

    if (__builtin_expect(old > 1, 1))
        return 0;
    if (old != 1) {
        old = twin_put_slow(kref, release, old);
        __asm__ volatile("");
        return old;
    }
    (void)__atomic_load_n(&kref->refcount.refs, __ATOMIC_ACQUIRE);
    release(kref);
    return 1;
}

TWIN int twin_put_as(struct kref *kref, void (*release)(struct kref *), const char *holder)
{
    int old = __atomic_fetch_sub(&kref->refcount.refs, 1, __ATOMIC_RELEASE);

    if (__builtin_expect(old > 1, 1))
        return 0;
    if (old != 1) {
        old = twin_put_as_slow(kref, release, holder, old);
        __asm__ volatile("");
        return old;
    }
    (void)__atomic_load_n(&kref->refcount.refs, __ATOMIC_ACQUIRE);
    release(kref);
    return 1;
}

void release_it(struct kref *kref);

/* One function, once with kref.h's functions and once with their twins. */
#define BOTH(returns, name, parameters, body)                                                      \
    returns test_##kref##_##name parameters;                                                       \
    returns test_##twin##_##name parameters;                                                       \
    returns test_##kref##_##name parameters body(kref)                                             \
    returns test_##twin##_##name parameters body(twin)

#define GET(who) { who##_get(k); }
#define GET_AS(who) { who##_get_as(k, "holder"); }
#define GET_UNLESS_ZERO(who) { return who##_get_unless_zero(k); }
#define PUT(who) { return who##_put(k, release_it); }
#define PUT_AS(who) { return who##_put_as(k, release_it, "holder"); }
#define LOOP(who)                                                                                  \
    {                                                                                              \
        int last = 0;                                                                              \
                                                                                                   \
        while (n-- && who##_get_unless_zero(k)) {                                                  \
            who##_get(k);                                                                          \
            last += who##_put(k, release_it) + who##_put(k, release_it);                           \
        }                                                                                          \
        return last;                                                                               \
    }

BOTH(void, get, (struct kref *k), GET)
BOTH(void, get_as, (struct kref *k), GET_AS)
BOTH(int, get_unless_zero, (struct kref *k), GET_UNLESS_ZERO)
BOTH(int, put, (struct kref *k), PUT)
BOTH(int, put_as, (struct kref *k), PUT_AS)
BOTH(int, loop, (struct kref *k, int n), LOOP)

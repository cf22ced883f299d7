/*
 * A get and a put with sixteen functions on the stack, as in a real program. The tracked and the
 * untracked object go through the same code.
 */
#include <kref.h>
#include <stdlib.h>

/* Not inlined; the addition after each call keeps the compiler from making the call a jump. */
#define DEEP static __attribute__((noinline)) unsigned long

static void release(struct kref *kref)
{
    (void)kref; /* nothing to free */
}

DEEP take(struct kref *kref)
{
    kref_get(kref);
    return 1;
}

DEEP give(struct kref *kref)
{
    return 1 + (unsigned long)kref_put(kref, release);
}

/* Four places that call take(), and four that call give(). */
DEEP a(struct kref *kref) { return take(kref) + give(kref); }
DEEP b(struct kref *kref) { return 2 * take(kref) + give(kref); }
DEEP c(struct kref *kref) { return take(kref) + 2 * give(kref); }
DEEP d(struct kref *kref) { return 3 * take(kref) + give(kref); }

DEEP many(struct kref *kref, unsigned long n)
{
    unsigned long sum = 0;

    for (; n >= 4; n -= 4)
        sum += a(kref) + b(kref) + c(kref) + d(kref);
    return sum;
}

DEEP depth13(struct kref *kref, unsigned long n) { return 13 + many(kref, n); }
DEEP depth12(struct kref *kref, unsigned long n) { return 12 + depth13(kref, n); }
DEEP depth11(struct kref *kref, unsigned long n) { return 11 + depth12(kref, n); }
DEEP depth10(struct kref *kref, unsigned long n) { return 10 + depth11(kref, n); }
DEEP depth9(struct kref *kref, unsigned long n) { return 9 + depth10(kref, n); }
DEEP depth8(struct kref *kref, unsigned long n) { return 8 + depth9(kref, n); }
DEEP depth7(struct kref *kref, unsigned long n) { return 7 + depth8(kref, n); }
DEEP depth6(struct kref *kref, unsigned long n) { return 6 + depth7(kref, n); }
DEEP depth5(struct kref *kref, unsigned long n) { return 5 + depth6(kref, n); }
DEEP depth4(struct kref *kref, unsigned long n) { return 4 + depth5(kref, n); }
DEEP depth3(struct kref *kref, unsigned long n) { return 3 + depth4(kref, n); }
DEEP depth2(struct kref *kref, unsigned long n) { return 2 + depth3(kref, n); }
DEEP depth1(struct kref *kref, unsigned long n) { return 1 + depth2(kref, n); }

/* Untracked: the tracker learns of an object by kref_init(), and KREF_INIT() does not call it. */
void get_put_untracked(unsigned long n)
{
    static _Alignas(128) struct kref held = KREF_INIT(1);

    depth1(&held, n);
}

/* One object for all threads. */
static _Alignas(128) struct kref shared;

void begin_shared(void)
{
    kref_init(&shared);
}

void end_shared(void)
{
    kref_put(&shared, release);
}

void get_put_tracked(unsigned long n)
{
    depth1(&shared, n);
}

/* Each thread has an object of its own, so that the threads share no count. */
void get_put_own(unsigned long n)
{
    _Alignas(128) struct kref own;

    kref_init(&own);
    depth1(&own, n);
    kref_put(&own, release);
}

/* A million objects that live at the same time. One after the other is used, far from the last one. */
#define MILLION 1000000
#define STRIDE 7919 /* a prime, so that all have their turn */

static struct kref *million;

void begin_million(void)
{
    million = calloc(MILLION, sizeof(*million));
    if (!million)
        abort();
    for (size_t i = 0; i < MILLION; i++)
        kref_init(&million[i]);
}

void end_million(void)
{
    for (size_t i = 0; i < MILLION; i++)
        kref_put(&million[i], release);
    free(million);
}

void get_put_million(unsigned long n)
{
    static _Atomic size_t at;
    size_t next = at;

    for (; n >= 4; n -= 4) {
        next = (next + STRIDE) % MILLION;
        depth1(&million[next], 4);
    }
    at = next;
}

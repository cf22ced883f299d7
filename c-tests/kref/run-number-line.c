/*
 * Each operation on each edge of the number line, and on memory that is filled with each of the 256 bytes:
 * the stored value afterwards, the result, the kind of violation, and whether release was called. kref.h's
 * inline functions and the exported ones do the same. No tracker is set, so a value in the tracked zone is
 * no count.
 */
#include "number_line.h"

#include <errno.h>

static struct told told;
static int released;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

/* The address of a function is the exported one's, never the inline one's. */
static void (*volatile exported_get)(struct kref *) = kref_get;
static int (*volatile exported_put)(struct kref *, void (*)(struct kref *)) = kref_put;
static int (*volatile exported_get_unless_zero)(struct kref *) = kref_get_unless_zero;
static unsigned int (*volatile exported_read)(const struct kref *) = kref_read;
static void (*volatile exported_get_as)(struct kref *, const char *) = kref_get_as;
static int (*volatile exported_put_as)(struct kref *, void (*)(struct kref *),
                                       const char *) = kref_put_as;

enum operation {
    READ, GET, PUT, GET_UNLESS_ZERO, GET_AS, PUT_AS, EXPORTED_READ, EXPORTED_GET, EXPORTED_PUT,
    EXPORTED_GET_UNLESS_ZERO, EXPORTED_GET_AS, EXPORTED_PUT_AS, COUNT_READ, INC, ADD_2, INC_NOT_ZERO,
    ADD_2_NOT_ZERO, INC_NOT_ZERO_ACQUIRE, ADD_2_NOT_ZERO_ACQUIRE, SUB_2_AND_TEST, DEC_AND_TEST, DEC,
    DEC_IF_ONE, DEC_NOT_ONE, PUT_MUTEX, DEC_AND_MUTEX_LOCK, OPERATIONS
};

static const char *const names[OPERATIONS] = {
    "kref_read", "kref_get", "kref_put", "kref_get_unless_zero", "kref_get_as", "kref_put_as",
    "exported kref_read", "exported kref_get", "exported kref_put", "exported kref_get_unless_zero",
    "exported kref_get_as", "exported kref_put_as", "count_read", "count_inc", "count_add(2)",
    "count_inc_not_zero", "count_add_not_zero(2)", "count_inc_not_zero_acquire",
    "count_add_not_zero_acquire(2)", "count_sub_and_test(2)", "count_dec_and_test", "count_dec",
    "count_dec_if_one", "count_dec_not_one", "kref_put_mutex", "count_dec_and_mutex_lock",
};

#define VOID (-1)

static int perform(enum operation operation, struct kref *kref)
{
    struct refcount_struct *count = &kref->refcount;

    switch (operation) {
    case READ: return (int)kref_read(kref);
    case GET: return kref_get(kref), VOID;
    case PUT: return kref_put(kref, release);
    case GET_UNLESS_ZERO: return kref_get_unless_zero(kref);
    case GET_AS: return kref_get_as(kref, "holder"), VOID;
    case PUT_AS: return kref_put_as(kref, release, "holder");
    case EXPORTED_READ: return (int)exported_read(kref);
    case EXPORTED_GET: return exported_get(kref), VOID;
    case EXPORTED_PUT: return exported_put(kref, release);
    case EXPORTED_GET_UNLESS_ZERO: return exported_get_unless_zero(kref);
    case EXPORTED_GET_AS: return exported_get_as(kref, "holder"), VOID;
    case EXPORTED_PUT_AS: return exported_put_as(kref, release, "holder");
    case COUNT_READ: return (int)kref_count_read(count);
    case INC: return kref_count_inc(count), VOID;
    case ADD_2: return kref_count_add(2, count), VOID;
    case INC_NOT_ZERO: return kref_count_inc_not_zero(count);
    case ADD_2_NOT_ZERO: return kref_count_add_not_zero(2, count);
    case INC_NOT_ZERO_ACQUIRE: return kref_count_inc_not_zero_acquire(count);
    case ADD_2_NOT_ZERO_ACQUIRE: return kref_count_add_not_zero_acquire(2, count);
    case SUB_2_AND_TEST: return kref_count_sub_and_test(2, count);
    case DEC_AND_TEST: return kref_count_dec_and_test(count);
    case DEC: return kref_count_dec(count), VOID;
    case DEC_IF_ONE: return kref_count_dec_if_one(count);
    case DEC_NOT_ONE: return kref_count_dec_not_one(count);
    case PUT_MUTEX: return kref_put_mutex(kref, release, &mutex);
    default: return kref_count_dec_and_mutex_lock(count, &mutex);
    }
}

/* What an operation shows. */
struct outcome {
    int stored, returned, kind, released;
};

static struct outcome misused(int kind, int returned)
{
    return (struct outcome){ SATURATED, returned, kind, 0 };
}

/* A get of n references; unconditional, or unless zero, in which case refused is the result at zero. */
static struct outcome get(int stored, int n, long long most, int returned, int refused)
{
    long long v = (long long)stored - INT_MIN + 1;

    switch (zone_of(stored)) {
    case IS_ALIVE:
        if (v + n > most)
            return misused(KREF_OVERFLOW, returned);
        return (struct outcome){ stored + n, returned, 0, 0 };
    case IS_NEVER_INITIALISED:
        return refused == VOID ? misused(KREF_NEVER_INITIALISED, returned)
                               : (struct outcome){ stored, refused, 0, 0 };
    case IS_RELEASED:
        return refused == VOID ? misused(KREF_GET_ON_ZERO, returned)
                               : (struct outcome){ stored, refused, 0, 0 };
    default: return misused(KREF_USE_OF_SATURATED, returned);
    }
}

/* A put of n references, with these results where the last goes, where references stay, and on misuse. */
static struct outcome put(int stored, int n, struct outcome last, int stays, int on_misuse)
{
    long long v = (long long)stored - INT_MIN + 1;

    switch (zone_of(stored)) {
    case IS_ALIVE:
        if (v == n)
            return last;
        return v > n ? (struct outcome){ stored - n, stays, 0, 0 } : misused(KREF_PUT_ON_ZERO, on_misuse);
    case IS_NEVER_INITIALISED: return misused(KREF_NEVER_INITIALISED, on_misuse);
    case IS_RELEASED: return misused(KREF_PUT_ON_ZERO, on_misuse);
    default: return misused(KREF_USE_OF_SATURATED, on_misuse);
    }
}

/* What the operation has to do, by the pictures and tables of the documentation alone. */
static struct outcome expected(enum operation operation, int stored)
{
    const struct outcome releases = { RELEASED, 1, 0, 1 }, dies = { RELEASED, 1, 0, 0 };
    const struct outcome stays = { stored, 0, 0, 0 };
    long long v = (long long)stored - INT_MIN + 1;
    enum zone zone = zone_of(stored);

    switch (operation) {
    case READ:
    case EXPORTED_READ:
    case COUNT_READ: {
        int shown = zone == IS_ALIVE ? (int)(v > INT_MAX ? INT_MAX : v) : 0;

        if (zone == IS_SATURATED || zone == IS_TRACKED)
            shown = KREF_SATURATED;
        return (struct outcome){ stored, shown, 0, 0 };
    }
    case GET:
    case GET_AS:
    case EXPORTED_GET:
    case EXPORTED_GET_AS:
    case INC: return get(stored, 1, 1LL << 31, VOID, VOID);
    case ADD_2: return get(stored, 2, INT_MAX, VOID, VOID);
    case GET_UNLESS_ZERO:
    case EXPORTED_GET_UNLESS_ZERO:
    case INC_NOT_ZERO:
    case INC_NOT_ZERO_ACQUIRE: return get(stored, 1, INT_MAX, 1, 0);
    case ADD_2_NOT_ZERO:
    case ADD_2_NOT_ZERO_ACQUIRE: return get(stored, 2, INT_MAX, 1, 0);
    case PUT:
    case PUT_AS:
    case EXPORTED_PUT:
    case EXPORTED_PUT_AS:
    case PUT_MUTEX: return put(stored, 1, releases, 0, 0);
    case DEC_AND_TEST:
    case DEC_AND_MUTEX_LOCK: return put(stored, 1, dies, 0, 0);
    case SUB_2_AND_TEST: return put(stored, 2, dies, 0, 0);
    case DEC: return put(stored, 1, misused(KREF_DEC_TO_ZERO, VOID), VOID, VOID);
    case DEC_IF_ONE: return stored == ONE_REFERENCE ? dies : stays;
    default: return put(stored, 1, stays, 1, 1);
    }
}

static void check(enum operation operation, int stored)
{
    struct outcome wanted = expected(operation, stored), got;
    struct kref kref;

    kref.refcount.refs = stored;
    memset(&told, 0, sizeof told);
    released = 0;
    got.returned = perform(operation, &kref);
    got.stored = kref.refcount.refs;
    got.kind = (int)told.last.kind;
    got.released = released;
    if (pthread_mutex_trylock(&mutex) == EBUSY)
        CHECK(got.returned == 1 && (operation == PUT_MUTEX || operation == DEC_AND_MUTEX_LOCK));
    pthread_mutex_unlock(&mutex);
    if (memcmp(&got, &wanted, sizeof got) || told.times != (wanted.kind != 0) ||
        (told.times && told.last.kref != &kref)) {
        fprintf(stderr, "%s at %#x: stored %#x, returned %d, kind %d, released %d, reports %d;\n"
                        "expected: stored %#x, returned %d, kind %d, released %d\n",
                names[operation], (unsigned)stored, (unsigned)got.stored, got.returned, got.kind,
                got.released, told.times, (unsigned)wanted.stored, wanted.returned, wanted.kind,
                wanted.released);
        exit(1);
    }
}

static void check_all(int stored)
{
    int operation;

    for (operation = 0; operation < OPERATIONS; operation++)
        check((enum operation)operation, stored);
}

/* KREF_INIT() and kref_count_set() agree on each number. */
static void check_initialisers(void)
{
    static const struct kref made[] = { KREF_INIT(0), KREF_INIT(1), KREF_INIT(2u), KREF_INIT(KREF_MAX),
                                        KREF_INIT(-1), KREF_INIT(INT_MIN), KREF_INIT(3L) };
    static const int numbers[] = { 0, 1, 2, KREF_MAX, -1, INT_MIN, 3 };
    static const int stored[] = { RELEASED, INT_MIN, INT_MIN + 1, -2, SATURATED, SATURATED, INT_MIN + 2 };
    struct kref kref;
    size_t i;

    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        kref_count_set(&kref.refcount, numbers[i]);
        CHECK(kref.refcount.refs == stored[i] && made[i].refcount.refs == stored[i]);
        kref_count_set_release(&kref.refcount, numbers[i]);
        CHECK(kref.refcount.refs == stored[i]);
    }
    kref_init(&kref);
    CHECK(kref.refcount.refs == ONE_REFERENCE);
}

int main(void)
{
    static const int edges[] = { INT_MIN, 0, 1 << 22, TRACKED_BEGIN, TRACKED_BEGIN + 32, TRACKED_BEGIN + 64,
                                 TRACKED_END, SATURATED, INT_MAX - (1 << 22), INT_MAX, INT_MIN / 2 };
    unsigned int byte;
    size_t i;
    int step;

    kref_set_violation_handler(remember, &told);
    check_initialisers();
    for (i = 0; i < sizeof edges / sizeof *edges; i++)
        for (step = -5; step <= 5; step++)
            check_all((int)((unsigned)edges[i] + (unsigned)step));
    for (byte = 0; byte < 256; byte++)
        check_all((int)(byte * 0x01010101u));
    return 0;
}

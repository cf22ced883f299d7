/*
 * A tracked object behaves as an untracked one: the same random operations on both give the same
 * results, counts, releases and violations. The events of the tracked object add up to its count.
 * KREF_SEED=N repeats a run; a failure prints its seed.
 */
#include "random.h"

#include <errno.h>

enum operation {
    GET, PUT, GET_AS, PUT_AS, GET_UNLESS_ZERO, PUT_MUTEX, PUT_LOCK, LOOKUP, SLOT, INC, ADD,
    ADD_NOT_ZERO, INC_NOT_ZERO, ADD_ACQUIRE, INC_ACQUIRE, SUB_AND_TEST, DEC_AND_TEST, DEC,
    DEC_IF_ONE, DEC_NOT_ONE, DEC_MUTEX, DEC_LOCK, OPERATIONS
};

/* All visible effects of an operation. */
struct outcome {
    int count, returned, reports, kind, released, held;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static struct kref_slot slot;
static int released, events_balance;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static struct kref *find(void *key)
{
    return key;
}

static int created(struct kref *kref, const char *type)
{
    (void)kref, (void)type;
    events_balance = 1;
    return 1;
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    (void)kref, (void)holder;
    events_balance++;
    CHECK((int)count == events_balance);
}

static void putting(struct kref *kref, void (*release)(struct kref *), unsigned int count,
                    const char *holder)
{
    (void)kref, (void)release, (void)holder;
    CHECK((int)count == events_balance);
    events_balance--;
}

static void last(struct kref *kref, void (*release)(struct kref *))
{
    (void)kref, (void)release;
    CHECK(events_balance == 0);
}

static const struct kref_tracker tracker = { .size = sizeof tracker, .created = created, .got = got,
                                             .putting = putting, .released = last };

static int take_from_slot(struct kref *kref)
{
    struct kref *found;

    CHECK(!kref_slot_replace(&slot, kref));
    found = kref_slot_get(&slot);
    CHECK(kref_slot_replace(&slot, NULL) == kref);
    return found == kref;
}

static int perform(enum operation operation, struct kref *kref, int n)
{
    struct refcount_struct *count = &kref->refcount;

    switch (operation) {
    case GET: return kref_get(kref), -1;
    case PUT: return kref_put(kref, release);
    case GET_AS: return kref_get_as(kref, "holder"), -1;
    case PUT_AS: return kref_put_as(kref, release, "holder");
    case GET_UNLESS_ZERO: return kref_get_unless_zero(kref);
    case PUT_MUTEX: return kref_put_mutex(kref, release, &mutex);
    case PUT_LOCK: return kref_put_lock(kref, release, &spin);
    case LOOKUP: return kref_lookup_mutex(&mutex, find, kref) != NULL;
    case SLOT: return take_from_slot(kref);
    case INC: return kref_count_inc(count), -1;
    case ADD: return kref_count_add(n, count), -1;
    case ADD_NOT_ZERO: return kref_count_add_not_zero(n, count);
    case INC_NOT_ZERO: return kref_count_inc_not_zero(count);
    case ADD_ACQUIRE: return kref_count_add_not_zero_acquire(n, count);
    case INC_ACQUIRE: return kref_count_inc_not_zero_acquire(count);
    case SUB_AND_TEST: return kref_count_sub_and_test(n, count);
    case DEC_AND_TEST: return kref_count_dec_and_test(count);
    case DEC: return kref_count_dec(count), -1;
    case DEC_IF_ONE: return kref_count_dec_if_one(count);
    case DEC_NOT_ONE: return kref_count_dec_not_one(count);
    case DEC_MUTEX: return kref_count_dec_and_mutex_lock(count, &mutex);
    default: return kref_count_dec_and_lock(count, &spin);
    }
}

/* Whether the operation holds a lock. Unlocks it. */
static int unlock_if_held(void)
{
    int held = pthread_mutex_trylock(&mutex) == EBUSY;

    CHECK(pthread_mutex_unlock(&mutex) == 0);
    held |= pthread_spin_trylock(&spin) == EBUSY;
    CHECK(pthread_spin_unlock(&spin) == 0);
    return held;
}

static struct outcome observe(enum operation operation, struct kref *kref, int n, struct told *told)
{
    struct outcome outcome;

    told->times = told->last.kind = 0;
    released = 0;
    outcome.returned = perform(operation, kref, n);
    outcome.count = (int)kref_read(kref);
    outcome.reports = told->times;
    outcome.kind = told->last.kind;
    outcome.released = released;
    outcome.held = unlock_if_held();
    CHECK((int)kref_count_read(&kref->refcount) == outcome.count);
    return outcome;
}

int main(void)
{
    struct told told = { 0 };
    int round, step;

    seed_random();
    CHECK(!pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
    kref_set_violation_handler(remember, &told);
    CHECK(!kref_set_tracker(&tracker));

    for (round = 0; round < 5000; round++) {
        struct kref plain = KREF_INIT(1), tracked;

        kref_init(&tracked);
        for (step = 0; step < 12; step++) {
            enum operation operation = (enum operation)draw(OPERATIONS);
            int n = (int)draw(5) - 1;
            struct outcome a = observe(operation, &plain, n, &told);
            struct outcome b = observe(operation, &tracked, n, &told);

            if (memcmp(&a, &b, sizeof a) || (b.count > 0 && b.count != events_balance)) {
                fprintf(stderr,
                        "KREF_SEED=%llu: step %d, operation %d with %d, events %d:\n"
                        "  plain:   count %d, returned %d, reports %d, kind %d, released %d, held %d\n"
                        "  tracked: count %d, returned %d, reports %d, kind %d, released %d, held %d\n",
                        seed, step, operation, n, events_balance, a.count, a.returned, a.reports,
                        a.kind, a.released, a.held, b.count, b.returned, b.reports, b.kind,
                        b.released, b.held);
                return 1;
            }
        }
    }
    return 0;
}

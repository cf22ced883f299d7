/*
 * The inline functions and the exported functions do the same: random operations on two counts that
 * start from one edge value. KREF_SEED=N repeats a run; a failure prints its seed.
 */
#include "number_line.h"
#include "random.h"

enum operation { GET, PUT, GET_UNLESS_ZERO, READ, OPERATIONS };

/* A pointer to a function points to the exported function, never to the inline one. */
static void (*volatile exported_get)(struct kref *) = kref_get;
static int (*volatile exported_put)(struct kref *, void (*)(struct kref *)) = kref_put;
static int (*volatile exported_get_unless_zero)(struct kref *) = kref_get_unless_zero;
static unsigned int (*volatile exported_read)(const struct kref *) = kref_read;

/* All visible effects of an operation. */
struct outcome {
    int count, returned, reports, kind, released;
};

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static int inlined(enum operation operation, struct kref *kref)
{
    switch (operation) {
    case GET: return kref_get(kref), -1;
    case PUT: return kref_put(kref, release);
    case GET_UNLESS_ZERO: return kref_get_unless_zero(kref);
    default: return (int)kref_read(kref);
    }
}

static int exported(enum operation operation, struct kref *kref)
{
    switch (operation) {
    case GET: return exported_get(kref), -1;
    case PUT: return exported_put(kref, release);
    case GET_UNLESS_ZERO: return exported_get_unless_zero(kref);
    default: return (int)exported_read(kref);
    }
}

static struct outcome observe(int (*perform)(enum operation, struct kref *),
                              enum operation operation, struct kref *kref, struct told *told)
{
    struct outcome outcome;

    told->times = 0;
    told->last.kind = 0;
    told->last.kref = NULL;
    released = 0;
    outcome.returned = perform(operation, kref);
    outcome.count = kref->refcount.refs;
    outcome.reports = told->times;
    outcome.kind = told->last.kind;
    outcome.released = released;
    CHECK(!told->times || told->last.kref == kref);
    return outcome;
}

int main(void)
{
    static const int edges[] = { ONE_REFERENCE, ONE_REFERENCE + 1, ONE_REFERENCE + 2, FULL - 2, FULL - 1,
                                 FULL, NEVER_INITIALISED, NEVER_INITIALISED + 1, TRACKED_BEGIN,
                                 TRACKED_BEGIN + 96, TRACKED_END, SATURATED - 1, SATURATED, SATURATED + 1,
                                 RELEASED - 1, RELEASED };
    struct told told = { 0 };
    int round, step;

    seed_random();
    kref_set_violation_handler(remember, &told);

    for (round = 0; round < 20000; round++) {
        int edge = edges[draw(sizeof edges / sizeof *edges)];
        struct kref one = { { edge } }, other = { { edge } };

        for (step = 0; step < 8; step++) {
            enum operation operation = (enum operation)draw(OPERATIONS);
            struct outcome a = observe(inlined, operation, &one, &told);
            struct outcome b = observe(exported, operation, &other, &told);

            if (memcmp(&a, &b, sizeof a)) {
                fprintf(stderr,
                        "KREF_SEED=%llu: from %d, step %d, operation %d:\n"
                        "  inlined:  count %d, returned %d, reports %d, kind %d, released %d\n"
                        "  exported: count %d, returned %d, reports %d, kind %d, released %d\n",
                        seed, edge, step, operation, a.count, a.returned, a.reports, a.kind,
                        a.released, b.count, b.returned, b.reports, b.kind, b.released);
                return 1;
            }
        }
    }
    return 0;
}

/*
 * Performs every row of data/semantics.csv: each operation at each edge value. Here the operations
 * have their names in kref.h; in run-semantics-linux.c they have the kernel's names, and in
 * run-semantics-oldp.c the kernel's names with two underscores.
 */
#include "number_line.h"

#include <errno.h>

#ifdef KERNEL_NAMES
#include <kref/linux/refcount.h>
#define OPERATION(name) refcount_##name
#else
#define REFCOUNT_MAX KREF_MAX
#define REFCOUNT_SATURATED KREF_SATURATED
#define OPERATION(name) kref_count_##name
#endif

/* The operations that the kernel has with two underscores, too: then they write the count before to *oldp. */
#ifdef WITH_OLDP
static int *oldp;
#define CALL(name, ...) __refcount_##name(__VA_ARGS__, oldp)
#else
#define CALL(name, ...) OPERATION(name)(__VA_ARGS__)
#endif

static struct kref kref;
#define COUNT (&kref.refcount)
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static struct told told;
static int released;

static void release(struct kref *released_kref)
{
    CHECK(released_kref == &kref);
    released++;
}

#define VOID (-1)

/* Performs the operation. Returns its result, or VOID. Only some operations have a limit. */
static int perform(const char *name, int n, int limit)
{
#ifdef WITH_OLDP
    if (!strcmp(name, "refcount_inc_not_zero_limited_acquire"))
        return __refcount_inc_not_zero_limited_acquire(COUNT, oldp, limit);
    if (!strcmp(name, "refcount_add_not_zero_limited_acquire"))
        return __refcount_add_not_zero_limited_acquire(n, COUNT, oldp, limit);
#endif
    (void)limit;
    if (!strcmp(name, "refcount_inc")) return CALL(inc, COUNT), VOID;
    if (!strcmp(name, "refcount_add")) return CALL(add, n, COUNT), VOID;
    if (!strcmp(name, "refcount_inc_not_zero")) return CALL(inc_not_zero, COUNT);
    if (!strcmp(name, "refcount_add_not_zero")) return CALL(add_not_zero, n, COUNT);
    if (!strcmp(name, "refcount_inc_not_zero_acquire"))
        return CALL(inc_not_zero_acquire, COUNT);
    if (!strcmp(name, "refcount_add_not_zero_acquire"))
        return CALL(add_not_zero_acquire, n, COUNT);
    if (!strcmp(name, "refcount_dec")) return CALL(dec, COUNT), VOID;
    if (!strcmp(name, "refcount_dec_and_test")) return CALL(dec_and_test, COUNT);
    if (!strcmp(name, "refcount_sub_and_test")) return CALL(sub_and_test, n, COUNT);
    if (!strcmp(name, "refcount_dec_if_one")) return OPERATION(dec_if_one)(COUNT);
    if (!strcmp(name, "refcount_dec_not_one")) return OPERATION(dec_not_one)(COUNT);
    if (!strcmp(name, "refcount_dec_and_mutex_lock"))
        return OPERATION(dec_and_mutex_lock)(COUNT, &mutex);
    if (!strcmp(name, "refcount_dec_and_lock")) return OPERATION(dec_and_lock)(COUNT, &spin);
    if (!strcmp(name, "kref_get")) return kref_get(&kref), VOID;
    if (!strcmp(name, "kref_put")) return kref_put(&kref, release);
    if (!strcmp(name, "kref_put_mutex")) return kref_put_mutex(&kref, release, &mutex);
    if (!strcmp(name, "kref_put_lock")) return kref_put_lock(&kref, release, &spin);
    if (!strcmp(name, "kref_get_unless_zero")) return kref_get_unless_zero(&kref);
    fprintf(stderr, "the table names an operation that is not tested: %s\n", name);
    exit(1);
}

/* Whether the operation holds a lock. Unlocks it. */
static int unlock_if_held(void)
{
    int held = 0;

    if (pthread_mutex_trylock(&mutex) == EBUSY)
        held = 1;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    if (pthread_spin_trylock(&spin) == EBUSY)
        held = 1;
    CHECK(pthread_spin_unlock(&spin) == 0);
    return held;
}

/* Not initialised: the memory is zero. */
#define NEVER INT_MIN

/*
 * A count as the table writes it: 3, MAX-1, SAT, INT_MIN+1; FULL, which is 2^31, one more than is promised;
 * NEVER.
 */
static long long value(const char *text)
{
    long long base;
    char *rest;

    if (!strcmp(text, "NEVER"))
        return NEVER;
    if (!strcmp(text, "FULL"))
        return REFCOUNT_MAX + 1LL;
    if (!strncmp(text, "INT_MIN", 7))
        base = INT_MIN, rest = (char *)text + 7;
    else if (!strncmp(text, "MAX", 3))
        base = REFCOUNT_MAX, rest = (char *)text + 3;
    else if (!strncmp(text, "SAT", 3))
        base = REFCOUNT_SATURATED, rest = (char *)text + 3;
    else
        base = strtoll(text, &rest, 10);
    return base + strtoll(rest, NULL, 10);
}

/* Gives the count its value by the public functions, as far as they can. */
static void set(const char *text)
{
    if (!strcmp(text, "NEVER")) {
        memset(&kref, 0, sizeof kref);
    } else if (!strcmp(text, "FULL")) {
        OPERATION(set)(COUNT, REFCOUNT_MAX);
        OPERATION(inc)(COUNT);
    } else {
        OPERATION(set)(COUNT, (int)value(text));
    }
}

/* What a count of this value reads as. */
static int shown(long long count)
{
    if (count == NEVER)
        return 0;
    return count > REFCOUNT_MAX ? REFCOUNT_MAX : (int)count;
}

/* Whether the count has the value, and reads as documented. */
static int is(long long wanted)
{
    return references(&kref) == wanted && (int)OPERATION(read)(COUNT) == shown(wanted);
}

#ifdef WITH_OLDP
#define NOT_WRITTEN 77
static int old, olds;

/* Whether the operation has written the count before, if there is a place for it. */
static int is_old(const char *before)
{
    int is_saturated = strcmp(before, "NEVER") && value(before) < 0;

    if (old == NOT_WRITTEN)
        return 1;
    olds++;
    return old == (is_saturated ? REFCOUNT_SATURATED : shown(value(before)));
}
#endif

/* The next field of a line. */
static char *field(char **line)
{
    char *text = strsep(line, ",");

    CHECK(text);
    return text;
}

static int row(char *line)
{
    char *name = field(&line), *before = field(&line), *after = field(&line);
    char *returns = field(&line), *reports = field(&line), *frees = field(&line);
    char *holds = field(&line), operation[64], *arguments = strchr(name, '('), *rest = NULL;
    int n, limit, returned, held, ok;

    n = arguments ? (int)strtol(arguments + 1, &rest, 10) : 0;
    limit = rest && *rest == ' ' ? (int)value(rest + 1) : 0;
    snprintf(operation, sizeof operation, "%.*s", (int)strcspn(name, "("), name);

    set(before);
    told.times = released = 0;
    returned = perform(operation, n, limit);
    held = unlock_if_held();

    ok = is(value(after)) &&
         returned == (strcmp(returns, "void") ? atoi(returns) : VOID) &&
         told.times == atoi(reports) && released == atoi(frees) && held == atoi(holds) &&
         (!told.times || told.last.kref == &kref);
#ifdef WITH_OLDP
    ok = is_old(before) && ok;
#endif
    if (!ok)
        fprintf(stderr, "%s at %s: count %lld, returned %d, reports %d, released %d, held %d\n", name,
                before, references(&kref), returned, told.times, released, held);
    return ok;
}

/* Performs the rows of a table. Returns how many are wrong. */
static int rows_of(const char *path, int count)
{
    FILE *table = fopen(path, "r");
    char line[256];
    int rows = 0, wrong = 0;

    CHECK(table);
    CHECK(fgets(line, sizeof line, table) && !strncmp(line, "operation,before,after,", 23));
    while (fgets(line, sizeof line, table)) {
        rows++;
#ifdef WITH_OLDP
        char again[256];

        memcpy(again, line, sizeof again);
        old = NOT_WRITTEN;
        oldp = NULL;
        wrong += !row(again);
        oldp = &old;
#endif
        wrong += !row(line);
    }
    fclose(table);
    printf("%d rows, %d wrong\n", rows, wrong);
    CHECK(rows == count);
    return wrong;
}

#ifdef KERNEL_NAMES
static void check_kernel_names(void)
{
    refcount_t made = REFCOUNT_INIT(5);

    CHECK(refcount_read(&made) == 5);
    refcount_set_release(&made, 7);
    CHECK(refcount_read(&made) == 7);
    CHECK(REFCOUNT_MAX == INT_MAX && REFCOUNT_SATURATED == INT_MIN / 2);
}

/* From each state the count saturates, and one violation of the right kind is reported. */
static void check_warn_saturate(void)
{
    static const char *const states[] = { "0", "1", "2", "MAX", "SAT", "NEVER", "FULL" };
    static const enum kref_violation_kind kinds[] = {
        [REFCOUNT_ADD_NOT_ZERO_OVF] = KREF_OVERFLOW, [REFCOUNT_ADD_OVF] = KREF_OVERFLOW,
        [REFCOUNT_ADD_UAF] = KREF_GET_ON_ZERO,       [REFCOUNT_SUB_UAF] = KREF_PUT_ON_ZERO,
        [REFCOUNT_DEC_LEAK] = KREF_PUT_ON_ZERO,
    };
    size_t state, type;

    for (state = 0; state < sizeof states / sizeof *states; state++)
        for (type = REFCOUNT_ADD_NOT_ZERO_OVF; type <= REFCOUNT_DEC_LEAK; type++) {
            set(states[state]);
            told.times = 0;
            refcount_warn_saturate(COUNT, (enum refcount_saturation_type)type);
            CHECK(is(REFCOUNT_SATURATED) && told.times == 1 && told.last.kref == &kref);
            CHECK(told.last.kind == kinds[type]);
        }
}
#endif

int main(void)
{
    int wrong;

    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
    kref_set_violation_handler(remember, &told);
#ifdef KERNEL_NAMES
    check_kernel_names();
    check_warn_saturate();
#endif
    wrong = rows_of(DATA "/semantics.csv", 330);
#ifdef WITH_OLDP
    /* 13 operations of this table have the form with two underscores, each with 15 rows. */
    CHECK(olds == 13 * 15);
    wrong += rows_of(DATA "/limited.csv", 180);
    CHECK(olds == 13 * 15 + 180);
#endif
    return wrong ? 1 : 0;
}

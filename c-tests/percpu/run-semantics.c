/*
 * Every row of data/percpu.csv: what each operation on a percpu_ref does in each state. The last column is
 * for the reader: what Linux 6.12 does instead.
 *
 * A state is a mode and a count: percpu 3, atomic 0, dying 1, atomic saturated; or exited; or never, which
 * is memory of zeros. A dying reference counts atomically.
 */
#include "check.h"

#include <limits.h>

#define ROWS 295
#define VOID (-1)
#define SATURATED INT_MIN

static struct percpu_ref refs[ROWS]; /* one for each row: what is misused is not freed, but reachable */
static struct percpu_ref *ref;
static struct told told;
static int released, confirmed;

static void release(struct percpu_ref *which)
{
    CHECK(which == ref);
    released++;
}

static void confirm(struct percpu_ref *which)
{
    CHECK(which == ref);
    confirmed++;
}

/* ---- The words of the table. ---- */

static unsigned int flags_of(const char *text)
{
    if (*text >= '0' && *text <= '9')
        return (unsigned int)atoi(text);
    return (strstr(text, "REINIT") ? PERCPU_REF_ALLOW_REINIT : 0u) |
           (strstr(text, "ATOMIC") ? PERCPU_REF_INIT_ATOMIC : 0u) |
           (strstr(text, "DEAD") ? PERCPU_REF_INIT_DEAD : 0u);
}

static int is(const char *text, const char *word)
{
    return !strncmp(text, word, strlen(word));
}

static int count_of(const char *text)
{
    const char *count = strchr(text, ' ');

    return !count ? 0 : !strcmp(count, " saturated") ? SATURATED : atoi(count);
}

static int kind_of(const char *text)
{
    static const char *const names[] = { "GET_ON_ZERO", "PUT_ON_ZERO", "USE_OF_SATURATED",
                                         "KILLED_TWICE", "EXIT_WHILE_ALIVE", "BAD_REINIT" };
    static const int kinds[] = { KREF_GET_ON_ZERO, KREF_PUT_ON_ZERO, KREF_USE_OF_SATURATED,
                                 KREF_KILLED_TWICE, KREF_EXIT_WHILE_ALIVE, KREF_BAD_REINIT };
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(text, names[i]))
            return kinds[i];
    CHECK(!strcmp(text, "-"));
    return VOID;
}

/* Does the operation; what it returns, or VOID. */
static int perform(const char *name, unsigned int flags)
{
    if (!strcmp(name, "init")) return percpu_ref_init(ref, release, flags);
    if (!strcmp(name, "get")) return percpu_ref_get(ref), VOID;
    if (!strcmp(name, "get_many(3)")) return percpu_ref_get_many(ref, 3), VOID;
    if (!strcmp(name, "tryget")) return percpu_ref_tryget(ref);
    if (!strcmp(name, "tryget_many(3)")) return percpu_ref_tryget_many(ref, 3);
    if (!strcmp(name, "tryget_live")) return percpu_ref_tryget_live(ref);
    if (!strcmp(name, "put")) return percpu_ref_put(ref), VOID;
    if (!strcmp(name, "put_many(2)")) return percpu_ref_put_many(ref, 2), VOID;
    if (!strcmp(name, "kill")) return percpu_ref_kill(ref), VOID;
    if (!strcmp(name, "kill_and_confirm")) return percpu_ref_kill_and_confirm(ref, confirm), VOID;
    if (!strcmp(name, "switch_to_atomic")) return percpu_ref_switch_to_atomic(ref, confirm), VOID;
    if (!strcmp(name, "switch_to_atomic_sync")) return percpu_ref_switch_to_atomic_sync(ref), VOID;
    if (!strcmp(name, "switch_to_percpu")) return percpu_ref_switch_to_percpu(ref), VOID;
    if (!strcmp(name, "resurrect")) return percpu_ref_resurrect(ref), VOID;
    if (!strcmp(name, "reinit")) return percpu_ref_reinit(ref), VOID;
    if (!strcmp(name, "is_dying")) return percpu_ref_is_dying(ref);
    if (!strcmp(name, "is_zero")) return percpu_ref_is_zero(ref);
    if (!strcmp(name, "exit")) return percpu_ref_exit(ref), VOID;
    fprintf(stderr, "the table names an operation that is not tested: %s\n", name);
    exit(1);
}

/* ---- A state, by the public functions. ---- */

static void begin(unsigned int flags, const char *state)
{
    int count = count_of(state), dead = (flags & PERCPU_REF_INIT_DEAD) != 0;

    if (is(state, "never"))
        return;
    CHECK(!percpu_ref_init(ref, release, flags));
    if (is(state, "exited")) {
        percpu_ref_exit(ref);
        return;
    }
    if (is(state, "atomic"))
        percpu_ref_switch_to_atomic_sync(ref);
    if (count == SATURATED)
        percpu_ref_get_many(ref, INT_MAX + 1ul);
    else if (!dead)
        percpu_ref_get_many(ref, (unsigned long)count);
    if (is(state, "dying") && !dead)
        percpu_ref_kill(ref);
    else if (count != SATURATED && !dead)
        percpu_ref_put(ref);
}

static void forget(void)
{
    memset(&told, 0, sizeof told);
    released = confirmed = 0;
}

/* Whether a put finds a saturated count. */
static int is_saturated(void)
{
    forget();
    percpu_ref_put(ref);
    return !released && told.times == 1 && (int)told.last.kind == KREF_USE_OF_SATURATED;
}

/* Whether exactly so many puts release the object, which is dying and exits then. */
static int holds(int count)
{
    for (forget(); count; count--) {
        if (released || percpu_ref_is_zero(ref))
            return 0;
        percpu_ref_put(ref);
    }
    if (!percpu_ref_is_zero(ref))
        return 0;
    percpu_ref_exit(ref);
    return !told.times && !ref->data;
}

/* Whether the reference is in the state, which ends here. Without rseq each mode is the atomic one. */
static int ends(const char *state)
{
    int count = count_of(state), percpu = is(state, "percpu");

    if (is(state, "exited") || is(state, "never"))
        return !ref->data && !ref->counters;
    if (!ref->data || (ref->cpus > 0) != (percpu && kref_rseq_available()) ||
        percpu_ref_is_dying(ref) != is(state, "dying"))
        return 0;
    if (is(state, "dying"))
        return count == SATURATED ? is_saturated() : holds(count);
    if (is(state, "atomic") && !count)
        return percpu_ref_is_zero(ref);
    if (percpu_ref_is_zero(ref))
        return 0;
    forget();
    percpu_ref_kill(ref);
    if (count <= 0 && count != SATURATED)
        return told.times == 1 && (int)told.last.kind == KREF_PUT_ON_ZERO;
    if (count == SATURATED)
        return told.times == 1 && (int)told.last.kind == KREF_USE_OF_SATURATED && is_saturated();
    return !told.times && released == (count == 1) && holds(count - 1);
}

/* ---- The table. ---- */

static char *field(char **line)
{
    char *text = strsep(line, ",");

    CHECK(text);
    return text;
}

static int row(char *line)
{
    char *name = field(&line), *flags = field(&line), *before = field(&line), *after = field(&line);
    char *returns = field(&line), *reports = field(&line), *releases = field(&line);
    char *confirms = field(&line);
    int returned, ok, kind = kind_of(reports), reported;

    /* Where each put is counted in the word, a put too many is no state but a violation. */
    if (!kref_rseq_available() && (!strcmp(before, "percpu 0") || !strcmp(after, "percpu 0") ||
                                   strstr(after, "percpu -")))
        return 1;
    begin(flags_of(strcmp(name, "init") ? flags : "0"), before);
    forget();
    returned = perform(name, flags_of(flags));
    reported = told.times ? (int)told.last.kind : VOID;
    ok = returned == (strcmp(returns, "void") ? atoi(returns) : VOID) && reported == kind &&
         told.times == (kind != VOID) && released == atoi(releases) && confirmed == atoi(confirms) &&
         (!told.times || told.last.kref == (const void *)ref);
    if (!ok)
        fprintf(stderr, "%s(%s) at %s: returned %d, %d reports, the last %d, released %d, confirmed %d\n",
                name, flags, before, returned, told.times, reported, released, confirmed);
    if (ends(after))
        return ok;
    fprintf(stderr, "%s(%s) at %s: afterwards it is not %s\n", name, flags, before, after);
    return 0;
}

int main(void)
{
    FILE *table = fopen(DATA "/percpu.csv", "r");
    char line[256];
    int rows = 0, wrong = 0;

    CHECK(table);
    kref_set_violation_handler(remember, &told);
    CHECK(fgets(line, sizeof line, table) && is(line, "operation,flags,before,after,"));
    while (fgets(line, sizeof line, table)) {
        CHECK(rows < ROWS);
        ref = &refs[rows++];
        wrong += !row(line);
    }
    fclose(table);
    printf("%d rows, %d wrong\n", rows, wrong);
    CHECK(rows == ROWS);
    return wrong ? 1 : 0;
}

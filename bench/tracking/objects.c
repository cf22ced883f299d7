/*
 * Objects, sixteen functions deep: made and ended at once, or held.
 *
 *   objects kref N          N times kref_init() and the kref_put() that releases; prints the nanoseconds of one
 *   objects pairs N         N times kref_get() and kref_put() of one object, in the same way
 *   objects malloc N        N times malloc() and free(), for tools that watch these
 *   objects hold N HOLDERS PLACES
 *                           makes N objects with HOLDERS references each, taken in turn by PLACES stacks of calls,
 *                           and prints the bytes of memory that this process and the judge have now, without what
 *                           they share
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Not inlined; the addition after each call keeps the compiler from making the call a jump. */
#define DEEP static __attribute__((noinline)) unsigned long

static void release(struct kref *kref)
{
    (void)kref; /* nothing to free */
}

static struct kref *held;
static unsigned long holders, places;

DEEP with_kref(unsigned long n)
{
    static struct kref kref;
    unsigned long last = 0;

    while (n--) {
        kref_init(&kref);
        last += (unsigned long)kref_put(&kref, release);
    }
    return last;
}

DEEP with_pairs(unsigned long n)
{
    static struct kref kref;
    unsigned long last = 0;

    kref_init(&kref);
    while (n--) {
        kref_get(&kref);
        last += (unsigned long)kref_put(&kref, release);
    }
    return last + (unsigned long)kref_put(&kref, release);
}

DEEP with_malloc(unsigned long n)
{
    while (n--) {
        void *volatile memory = malloc(64);

        free(memory);
    }
    return n;
}

/*
 * A get at a place of its own for each number. Each depth of the recursion has two gets, because a recorded stack has
 * sixteen calls at most. What follows the calls keeps the compiler from making a loop of the recursion, and one get of two.
 */
DEEP get_at(struct kref *kref, unsigned long place)
{
    unsigned long calls = 0;

    if (place > 1) {
        calls = 1 + get_at(kref, place - 2);
        __asm__ volatile("# deeper" : "+r"(calls));
    } else if (place) {
        kref_get(kref);
        __asm__ volatile("# one");
    } else {
        kref_get(kref);
        __asm__ volatile("# the other");
    }
    return calls;
}

DEEP hold(unsigned long n)
{
    held = calloc(n + 1, sizeof(*held));
    for (unsigned long i = 0; i < n; i++) {
        kref_init(&held[i]);
        for (unsigned long more = 1; more < holders; more++)
            get_at(&held[i], more % places);
    }
    return n;
}

static unsigned long (*work)(unsigned long);

DEEP depth14(unsigned long n) { return 14 + work(n); }
DEEP depth13(unsigned long n) { return 13 + depth14(n); }
DEEP depth12(unsigned long n) { return 12 + depth13(n); }
DEEP depth11(unsigned long n) { return 11 + depth12(n); }
DEEP depth10(unsigned long n) { return 10 + depth11(n); }
DEEP depth9(unsigned long n) { return 9 + depth10(n); }
DEEP depth8(unsigned long n) { return 8 + depth9(n); }
DEEP depth7(unsigned long n) { return 7 + depth8(n); }
DEEP depth6(unsigned long n) { return 6 + depth7(n); }
DEEP depth5(unsigned long n) { return 5 + depth6(n); }
DEEP depth4(unsigned long n) { return 4 + depth5(n); }
DEEP depth3(unsigned long n) { return 3 + depth4(n); }
DEEP depth2(unsigned long n) { return 2 + depth3(n); }
DEEP depth1(unsigned long n) { return 1 + depth2(n); }

/* The bytes of a process that no file backs and no other process shares. */
static unsigned long own_bytes(int pid)
{
    char path[64], line[256];
    unsigned long kilobytes = 0, sum = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "Anonymous: %lu", &kilobytes) == 1)
            sum += 1024 * kilobytes;
    if (file)
        fclose(file);
    return sum;
}

/* The judge, who is in the path of the memory that the recorder shares with it: /proc/JUDGE/fd/N. */
static int judge(void)
{
    const char *session = getenv("KREF_TRACK_SESSION");

    return session && !strncmp(session, "/proc/", 6) ? atoi(session + 6) : 0;
}

/* The judge may still be working: its memory, when that has not changed for half a second. */
static unsigned long settled_bytes(int pid)
{
    unsigned long before = 0, now = own_bytes(pid);

    for (int same = 0; same < 5; same = now == before ? same + 1 : 0) {
        before = now;
        usleep(100000);
        now = own_bytes(pid);
    }
    return now;
}

static const struct {
    const char *name;
    unsigned long (*work)(unsigned long);
} ways[] = {{"kref", with_kref}, {"pairs", with_pairs}, {"malloc", with_malloc}, {"hold", hold}};

int main(int argc, char **argv)
{
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    struct timespec start, end;

    holders = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    places = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
    for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++)
        if (!strcmp(argv[1], ways[i].name))
            work = ways[i].work;
    if (!work)
        return 2;
    if (work == hold) {
        depth1(n);
        printf("%lu %lu\n", own_bytes(getpid()), settled_bytes(judge()));
        fflush(stdout);
        _exit(0); /* without the report, which would name each object as leaked */
    }
    depth1(1000);
    clock_gettime(CLOCK_MONOTONIC, &start);
    depth1(n);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.2f\n", ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)n);
    return 0;
}

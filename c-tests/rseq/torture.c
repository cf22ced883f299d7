/*
 * Nothing but gets from a slot, puts, and replaces: on an emulated machine, which is slow, a broken sequence fails
 * here within seconds, where slot/torture.c and percpu/torture.c need minutes. ci/boot.sh runs this program with
 * sequences that are broken on purpose. With -DPERCPU the objects are percpu references.
 *
 * An object is never freed. A released one is not alive until the writer uses it again, long after.
 */
#define _GNU_SOURCE
#include "fence.h"
#include "interrupted.h"

#include <signal.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define READERS 6
#define OBJECTS 4096
#define PERIOD 10000000 /* ns between two signals of a thread; with much less an emulated machine does nothing else */

#ifdef PERCPU
typedef struct percpu_ref counted;
typedef struct percpu_ref_slot published;
#define slot_get percpu_ref_slot_get
#define slot_replace percpu_ref_slot_replace
#else
typedef struct kref counted;
typedef struct kref_slot published;
#define slot_get kref_slot_get
#define slot_replace kref_slot_replace
#endif

struct object {
    counted count; /* first, so the count and the object have one address */
    int alive;
};

static struct object objects[OBJECTS];
static published slot;
static unsigned long gets, aborts, released, replaces;
static int stop;

#define READ(variable) __atomic_load_n(&(variable), __ATOMIC_RELAXED)
#define ADD(counter, n) __atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED)

static void release(counted *count)
{
#ifdef PERCPU
    percpu_ref_exit(count);
#endif
    CHECK(__atomic_exchange_n(&((struct object *)count)->alive, 0, __ATOMIC_RELAXED));
    ADD(released, 1);
}

/* The reader's put. */
static void put(counted *count)
{
#ifdef PERCPU
    percpu_ref_put(count);
#else
    kref_put(count, release);
#endif
}

/* The writer's put, of the reference that the slot had. */
static void put_last(counted *count)
{
#ifdef PERCPU
    percpu_ref_kill(count);
#else
    put(count);
#endif
}

static void begin(counted *count)
{
#ifdef PERCPU
    CHECK(percpu_ref_init(count, release, 0) == 0);
#else
    kref_init(count);
#endif
}

static void fail_on_violation(const struct kref_violation *violation, void *context)
{
    (void)context;
    dprintf(STDERR_FILENO, "violation %d of %p\n", (int)violation->kind, violation->kref);
    _exit(1);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ADD(aborts, (unsigned long)was_in_sequence(context));
}

static void *read_often(void *unused)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    struct itimerspec when = {{0, PERIOD}, {0, PERIOD}};
    unsigned long got = 0;
    timer_t timer;

    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    while (!READ(stop)) {
        counted *count = slot_get(&slot);

        if (!count)
            continue;
        CHECK(READ(((struct object *)count)->alive));
        put(count);
        got++;
    }
    timer_delete(timer);
    ADD(gets, got);
    return unused;
}

/* The next object, unless readers still hold it. */
static struct object *next_object(void)
{
    static unsigned int next;
    struct object *object = &objects[next++ % OBJECTS];

    if (READ(object->alive))
        return NULL;
    memset(object, 0, sizeof *object);
    begin(&object->count);
    __atomic_store_n(&object->alive, 1, __ATOMIC_RELAXED);
    return object;
}

static void replace(struct object *next)
{
    counted *old = slot_replace(&slot, next ? &next->count : NULL);

    if (old)
        put_last(old);
}

int main(void)
{
    const char *asked = getenv("KREF_TORTURE_SECONDS");
    time_t end = time(NULL) + (asked ? atoi(asked) : 2);
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t readers[READERS];
    int i;

    kref_set_violation_handler(fail_on_violation, NULL);
    CHECK(kref_rseq_available());
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (i = 0; i < READERS; i++)
        start(&readers[i], read_often, NULL);
    while (time(NULL) < end || !READ(aborts)) {
        struct object *next = next_object();

        if (!next)
            continue;
        replace(next);
        replaces++;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < READERS; i++)
        join(readers[i]);
    replace(NULL);
    printf("%lu gets, %lu replaces, %lu released, %lu signals in a sequence\n", gets, replaces, released, aborts);
    CHECK(released == replaces);
    return 0;
}

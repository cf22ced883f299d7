/*
 * The common part of the torture programs. Threads come and go, and use counted objects. Timers
 * interrupt them with signals; one more thread moves them between CPUs, signals them, and forks.
 * Some threads unregister their restartable sequences for a while.
 *
 * The verdict does not depend on timing. The test fails if a thread finds a released object: the poison of
 * poison.h, or another secret. And it fails if in the end an object was not released exactly once. Time only
 * decides when to stop: after KREF_TORTURE_SECONDS, default 2.
 */
#ifndef TORTURE_H
#define TORTURE_H

#define _GNU_SOURCE
#include "check.h"
#include "interrupted.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* The shortest time between two signals of a thread's timer, in nanoseconds. On an emulated machine the threads
 * would do nothing else: there it is longer. */
#ifndef PERIOD
#define PERIOD 100000
#endif

/* How many more milliseconds the torture goes on if some event has not happened yet. */
#define PATIENCE 60000

/* ThreadSanitizer delays signals, so they rarely interrupt a sequence. */
#ifdef KREF_TSAN
#define SEES_ABORTS 0
#else
#define SEES_ABORTS 1
#endif

#define ADD(counter, n) __atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED)
#define READ(variable) __atomic_load_n(&(variable), __ATOMIC_RELAXED)
#define WRITE(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELAXED)

/* The program's objects. In the end both are equal. */
static unsigned long made, released;

/* The work and the figures of a thread. When the thread ends, another one takes its seat. */
struct seat {
    void (*work)(struct seat *seat);  /* a little work; called in a loop */
    void (*leave)(struct seat *seat); /* puts the held reference; may be NULL */
    void *held;
    pthread_t thread;
    int tid; /* 0 while no thread has the seat */
    uint32_t random;
    unsigned long gets, replaces, kills, switches, lives;
};

static struct {
    unsigned long signals, aborts, migrations, forks, unregistered;
    int stop, has_rseq;
    cpu_set_t allowed;
} all;

static unsigned int any(struct seat *seat, unsigned int below)
{
    seat->random = seat->random * 1664525u + 1013904223u;
    return (unsigned int)((uint64_t)seat->random * below >> 32);
}

static void fail_on_violation(const struct kref_violation *violation, void *context)
{
    (void)context;
    dprintf(STDERR_FILENO, "violation %d of %p\n", (int)violation->kind, violation->kref);
    _exit(1);
}

/* ---- Restartable sequences: unregistered, and registered again. ---- */

static void unregister_sequences(void)
{
#ifdef HAS_RSEQ
    if (!all.has_rseq)
        return;
    rseq_register(RSEQ_FLAG_UNREGISTER);
    ADD(all.unregistered, 1);
#endif
}

static void register_sequences(void)
{
#ifdef HAS_RSEQ
    if (all.has_rseq)
        rseq_register(0);
#endif
}

/* ---- Signals. The handler calls functions that are allowed in handlers. ---- */

static struct percpu_ref in_handlers; /* used in handlers, and in child processes */
static int in_handlers_released;
static void (*more_in_handlers)(void), (*more_in_children)(void);

static void in_handlers_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    ADD(in_handlers_released, 1);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ADD(all.signals, 1);
    ADD(all.aborts, (unsigned long)was_in_sequence(context));
    percpu_ref_get(&in_handlers);
    percpu_ref_put(&in_handlers);
    if (more_in_handlers)
        more_in_handlers();
}

static timer_t timer_start(struct seat *seat)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    long period = PERIOD + (long)any(seat, PERIOD);
    struct itimerspec when = {{0, period}, {0, period}};
    timer_t timer;

    event.sigev_notify_thread_id = seat->tid;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* ---- Threads. ---- */

/* A thread begins with its sequences registered, unregisters them, and registers them again. */
static void *live(void *arg)
{
    struct seat *seat = arg;
    unsigned int length = 1000 + any(seat, 1000);
    unsigned int from = any(seat, 2 * length), to = from + any(seat, length), i;
    timer_t timer;

    WRITE(seat->tid, (int)syscall(SYS_gettid));
    timer = timer_start(seat);
    for (i = 0; i < length && !READ(all.stop); i++) {
        if (i == from)
            unregister_sequences();
        if (i == to && i > from)
            register_sequences();
        seat->work(seat);
    }
    if (seat->leave)
        seat->leave(seat);
    timer_delete(timer);
    WRITE(seat->tid, 0);
    seat->lives++;
    return NULL;
}

struct seats {
    struct seat *seats;
    unsigned int number;
    uint64_t end; /* in milliseconds() */
};

/* After a fork a child may call each function that takes no lock. */
static void be_child(void)
{
    int i;

    for (i = 0; i < 100; i++) {
        percpu_ref_get(&in_handlers);
        if (!percpu_ref_tryget_live(&in_handlers))
            _exit(2);
        percpu_ref_put_many(&in_handlers, 2);
    }
    if (more_in_children)
        more_in_children();
    _exit(kref_rseq_available() == all.has_rseq ? 0 : 3);
}

static void fork_once(void)
{
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (!child)
        be_child();
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ADD(all.forks, 1);
}

/* Moves a thread to a CPU, and signals it. No harm is done if the thread has ended. */
static void disturb_one(int tid, int cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(tid, sizeof one, &one) == 0)
        ADD(all.migrations, 1);
    syscall(SYS_tgkill, getpid(), tid, SIGUSR2);
}

static uint64_t milliseconds(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A loaded machine may need more time until each event has happened. */
static int has_seen_everything(void)
{
    if (!READ(all.signals) || !READ(all.migrations) || !READ(all.forks))
        return 0;
    return !all.has_rseq || (READ(all.unregistered) && (!SEES_ABORTS || READ(all.aborts)));
}

static void *disturb(void *arg)
{
    struct seats *seats = arg;
    struct seat own = {.random = 7};
    int i;

    while (!READ(all.stop)) {
        for (i = 0; i < 100; i++) {
            int tid = READ(seats->seats[any(&own, seats->number)].tid);
            int cpu = (int)any(&own, CPU_SETSIZE);

            while (!CPU_ISSET(cpu, &all.allowed))
                cpu = (cpu + 1) % CPU_SETSIZE;
            if (tid)
                disturb_one(tid, cpu);
        }
        fork_once();
        if (milliseconds() >= seats->end + (has_seen_everything() ? 0 : PATIENCE))
            WRITE(all.stop, 1);
    }
    return NULL;
}

/* ---- The run. ---- */

static void torture_begin(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};

    kref_set_violation_handler(fail_on_violation, NULL);
    CHECK(percpu_ref_init(&in_handlers, in_handlers_release, 0) == 0);
    all.has_rseq = kref_rseq_available();
    CHECK(sched_getaffinity(0, sizeof all.allowed, &all.allowed) == 0);
#ifdef WITHOUT_FENCE
    if (!all.has_rseq || CPU_COUNT(&all.allowed) < 2) {
        printf("skipped: without rseq, or with one CPU, no fence is needed\n");
        exit(0);
    }
#endif
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
}

static void torture_run(struct seat *seats, unsigned int number)
{
    const char *asked = getenv("KREF_TORTURE_SECONDS");
    unsigned int seconds = asked ? (unsigned int)atoi(asked) : 2;
    struct seats them = {seats, number, milliseconds() + seconds * 1000};
    pthread_t disturber;
    unsigned int i;

    alarm(seconds + 100);
    for (i = 0; i < number; i++) {
        seats[i].random = i + 1;
        start(&seats[i].thread, live, &seats[i]);
    }
    start(&disturber, disturb, &them);
    for (i = 0; !READ(all.stop); i = (i + 1) % number) {
        join(seats[i].thread);
        start(&seats[i].thread, live, &seats[i]);
    }
    for (i = 0; i < number; i++)
        join(seats[i].thread);
    join(disturber);
    percpu_ref_kill(&in_handlers);
    CHECK(in_handlers_released == 1);
}

/* Prints how often an event happened, all events on one line. It must have happened. */
static void torture_happened(const char *what, unsigned long times)
{
    printf(" %s %lu", what, times);
    if (!times)
        dprintf(STDERR_FILENO, "none: %s\n", what);
    CHECK(times);
}

static void torture_report(struct seat *seats, unsigned int number)
{
    unsigned long lives = 0;
    unsigned int i;

    for (i = 0; i < number; i++)
        lives += seats[i].lives;
    torture_happened("objects", made);
    torture_happened("threads", lives);
    torture_happened("signals", all.signals);
    torture_happened("migrations", all.migrations);
    torture_happened("forks", all.forks);
    if (all.has_rseq) {
        torture_happened("unregistered", all.unregistered);
        if (SEES_ABORTS)
            torture_happened("in-sequence", all.aborts);
    } else {
        CHECK(!all.aborts);
    }
    printf("\n");
}

#endif

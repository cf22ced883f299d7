/*
 * A thread uses a pool, and is interrupted in the middle: by a signal handler that uses the pool, and by a fork, after
 * which the child uses it.
 *
 * tools: static
 */
#define _GNU_SOURCE
#include "../harness/check.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define HANDLERS 500
#define FORKS 20
#define BURST 100 /* more than a CPU's share of free objects */

struct object {
    struct kref kref;
    uint64_t secret;
};

static unsigned long created, released; /* in a child: its own */

static void object_cleanup(struct object *object)
{
    object->secret = 0;
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static struct object *create(void)
{
    struct object *object = object_alloc();

    CHECK(object);
    object->secret = object_handle(object);
    object_publish(object);
    __atomic_fetch_add(&created, 1, __ATOMIC_RELAXED);
    return object;
}

static struct object *find(uint64_t handle)
{
    struct object *object = object_by_handle(handle);

    CHECK(!object || object->secret == handle);
    return object;
}

/* Each function of the pool that an object needs, in its life. */
static void live(void)
{
    struct object *object = create(), *unused = object_alloc();
    uint64_t handle = object_handle(object);

    CHECK(unused && unused != object);
    CHECK(find(handle) == object);
    object_unref(object);
    object_discard(unused);
    object_unref(object);
    CHECK(!find(handle));
}

static void live_in_a_burst(void)
{
    struct object *objects[BURST];
    int i;

    for (i = 0; i < BURST; i++)
        objects[i] = create();
    for (i = 0; i < BURST; i++)
        object_unref(objects[i]);
}

static int stop;
static unsigned long rounds, handled;

static int is_over(void)
{
    return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void *churn(void *unused)
{
    while (!is_over()) {
        live();
        live_in_a_burst();
        __atomic_fetch_add(&rounds, 1, __ATOMIC_RELEASE);
    }
    return unused;
}

/* The handler's object lives until the next signal, so the free objects are others than before. */
static struct object *kept;

static void handle(int signal)
{
    struct object *before = kept;

    (void)signal;
    live();
    kept = create();
    object_unref(before);
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELEASE);
}

/* Waits until the counter, which the churning thread raises, is another one. */
static void wait_for_more(unsigned long *counter, unsigned long before)
{
    while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) == before)
        sched_yield();
}

/* The next signal comes when the handler of the last one is done, wherever the thread is then. */
static void interrupt_by_handlers(pthread_t churning)
{
    unsigned long i;

    for (i = 0; i < HANDLERS; i++) {
        CHECK(pthread_kill(churning, SIGUSR1) == 0);
        wait_for_more(&handled, i);
    }
    CHECK(handled == HANDLERS);
}

static void be_child(void)
{
    unsigned long before = released;
    int i;

    for (i = 0; i < 10; i++) {
        live();
        live_in_a_burst();
    }
    _exit(released == before + 10 * (1 + BURST) ? 0 : 2);
}

static void interrupt_by_forks(void)
{
    int i, status;

    for (i = 0; i < FORKS; i++) {
        unsigned long before = __atomic_load_n(&rounds, __ATOMIC_ACQUIRE);
        pid_t child;

        wait_for_more(&rounds, before);
        child = fork();
        CHECK(child >= 0);
        if (!child)
            be_child();
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    pthread_t churning;

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    start(&churning, churn, NULL);
    interrupt_by_handlers(churning);
    interrupt_by_forks();
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    join(churning);
    object_unref(kept);
    CHECK(created > 0 && created == released);
    CHECK(kref_pool_destroy(&object_pool) == 0);
    return 0;
}

/*
 * A signal handler gets and puts, and interrupts threads that get and put. Each time it also takes
 * one reference that main() puts in the end: if an event were lost, a reference would be reported
 * as held.
 */
#include "../object.h"
#include <signal.h>
#include <sys/time.h>

static struct object *shared;
static unsigned int kept;
static int stop;

static void handle(int signal)
{
    /* Handlers nest. On a slow machine signals could come faster than handlers end. */
    static __thread int depth;

    (void)signal;
    if (depth == 8)
        return;
    depth++;
    kref_get(&shared->kref);
    kref_put(&shared->kref, object_release);
    kref_get(&shared->kref);
    __atomic_add_fetch(&kept, 1, __ATOMIC_RELAXED);
    depth--;
}

static void *work(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        kref_get(&shared->kref);
        object_put(shared);
    }
    return unused;
}

int main(void)
{
    struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART | SA_NODEFER };
    pthread_t threads[3];
    int i;

    shared = object_new();
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (i = 0; i < 3; i++)
        start(&threads[i], work, NULL);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (__atomic_load_n(&kept, __ATOMIC_RELAXED) < 2000) {
        kref_get(&shared->kref);
        object_put(shared);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 3; i++)
        join(threads[i]);
    CHECK(kref_read(&shared->kref) == kept + 1);
    while (kept--)
        object_put(shared);
    object_put(shared);
    return 0;
}

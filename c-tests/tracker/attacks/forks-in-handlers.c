/* The first thread forks. A second thread is interrupted again and again, also in the tracker, by a handler that forks. */
#define _GNU_SOURCE
#include "../object.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define FORKS 100

static struct object many[64];
static unsigned int in_handlers;
static int stop;

static void keep(struct kref *kref)
{
    (void)kref;
}

static void fork_once(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void handle(int signal)
{
    (void)signal;
    fork_once();
    __atomic_add_fetch(&in_handlers, 1, __ATOMIC_RELAXED);
}

static timer_t interrupt_this_thread(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
    struct itimerspec often = { { 0, 1500000 }, { 0, 1500000 } };
    timer_t timer;

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    return timer;
}

static void *work(void *unused)
{
    timer_t timer = interrupt_this_thread();

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 64; i++) {
            kref_init(&many[i].kref);
            kref_get(&many[i].kref);
            kref_put(&many[i].kref, keep);
            kref_put(&many[i].kref, keep);
        }
    }
    CHECK(timer_delete(timer) == 0);
    return unused;
}

int main(void)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    pthread_t thread;
    int forks;

    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    start(&thread, work, NULL);
    for (forks = 0; forks < FORKS || __atomic_load_n(&in_handlers, __ATOMIC_RELAXED) < FORKS; forks++) {
        fork_once();
        object_put(object_new());
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join(thread);
    return 0;
}

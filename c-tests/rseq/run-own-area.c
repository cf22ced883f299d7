/*
 * With musl libkref registers each thread's sequences itself: at the thread's first use, which may be in a signal
 * handler, and until the thread ends.
 *
 * tools: static
 */
#define _GNU_SOURCE
#include "rseq.h"

#if defined HAS_RSEQ && !defined __GLIBC__

#include "refuse.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct percpu_ref ref;
static pthread_key_t after;
static int released;

static void release(struct percpu_ref *last)
{
    percpu_ref_exit(last);
    released++;
}

static void use_sequences(void)
{
    CHECK(kref_rseq_available());
    percpu_ref_get(&ref);
    percpu_ref_put(&ref);
}

/* The kernel writes to the thread's area, if one is registered. */
static void move_about(void)
{
    cpu_set_t allowed, one;
    int cpu;

    CHECK(!sched_getaffinity(0, sizeof allowed, &allowed));
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(!sched_setaffinity(0, sizeof one, &one));
    }
    CHECK(!sched_setaffinity(0, sizeof allowed, &allowed));
    sched_yield();
}

static long mapped_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages;

    CHECK(file && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    return pages;
}

/* A destructor that runs after libkref's: musl takes the keys in the order in which they were created. */
static void use_again(void *what)
{
    move_about(); /* would end the process, if the area were unmapped but registered */
    if (what == &ref)
        use_sequences();
}

/* ---- A thread's end. ---- */

static int ended_tid;

static void *use(void *what)
{
    use_sequences();
    CHECK(!pthread_setspecific(after, what));
    __atomic_store_n(&ended_tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
    return NULL;
}

static void *use_and_exit(void *what)
{
    use(what);
    pthread_exit(NULL);
}

/* Waits until the kernel does not know the thread any more. */
static void wait_for_end(void)
{
    int tid;

    while (!(tid = __atomic_load_n(&ended_tid, __ATOMIC_ACQUIRE)))
        sched_yield();
    while (!syscall(SYS_tgkill, getpid(), tid, 0))
        sched_yield();
    ended_tid = 0;
}

static void start_detached(void *(*work)(void *), void *what)
{
    pthread_t thread;

    start(&thread, work, what);
    CHECK(!pthread_detach(thread));
}

/* `what` is &after, or &ref: a destructor uses sequences once more. */
static void areas_end_with_their_threads(void *what)
{
    pthread_t thread;
    long before = 0;
    int i;

    for (i = 0; i < 50; i++) {
        if (i == 10)
            before = mapped_pages(); /* the file's buffer is allocated, and all else that is allocated once */
        start(&thread, i % 2 ? use : use_and_exit, what);
        join(thread);
        wait_for_end();
        start_detached(i % 2 ? use : use_and_exit, what);
        wait_for_end();
        mapped_pages();
    }
    CHECK(mapped_pages() == before);
}

/* ---- First uses. ---- */

static void handle(int signal)
{
    (void)signal;
    errno = 4711;
    use_sequences();
    CHECK(errno == 4711);
}

static void *first_use_in_handler(void *unused)
{
    raise(SIGUSR1);
    use_sequences();
    return unused;
}

static int use_in_child(void *unused)
{
    (void)unused;
    percpu_ref_get(&ref);
    percpu_ref_put(&ref);
    return 0;
}

/* A child with its parent's thread-local storage, as after vfork(), must not register an area as its parent's. */
static void *first_use_in_child(void *unused)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t child = clone(use_in_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    int status;

    CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
    use_sequences();
    return unused;
}

static void *use_after_fork(void *unused)
{
    pid_t child;
    int status;

    use_sequences();
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        use_sequences();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && !status);
    return unused;
}

/* ---- Refusals. ---- */

static void *use_the_word(void *what)
{
    long before = mapped_pages(), more;

    use_in_child(NULL);
    more = mapped_pages() - before;
    CHECK(more <= 1);
    use_in_child(NULL); /* the kernel is not asked again */
    CHECK(mapped_pages() - before == more);
    CHECK(*(volatile int *)(rseq_area() + 4) < 0);
    return what;
}

static void *keep_registered(void *what)
{
    pthread_t thread;

    use_sequences();
    refuse(SYS_rseq);
    CHECK(!pthread_setspecific(after, what)); /* the kernel refuses to unregister the area, and writes to it */
    start(&thread, use_the_word, NULL);
    join(thread);
    return NULL;
}

static void run(void *(*work)(void *), void *what)
{
    pthread_t thread;

    start(&thread, work, what);
    join(thread);
}

int main(void)
{
    CHECK(signal(SIGUSR1, handle) != SIG_ERR);
    if (!kref_rseq_available())
        return 0;
    CHECK(!pthread_key_create(&after, use_again));
    CHECK(!percpu_ref_init(&ref, release, 0));
    areas_end_with_their_threads(&after);
    areas_end_with_their_threads(&ref);
    run(first_use_in_handler, NULL);
    run(first_use_in_child, NULL);
    run(use_after_fork, NULL);
    run(keep_registered, &after);
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

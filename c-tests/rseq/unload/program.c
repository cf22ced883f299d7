/*
 * Threads use a library (the first argument), and live on after it was unloaded. Then they are
 * preempted, moved to other CPUs and signalled.
 *
 * The kernel would kill a thread whose struct rseq still pointed into the library. The program
 * first shows that it would.
 */
#define _GNU_SOURCE
#include "check.h"
#include "rseq.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#define THREADS 3
#ifdef __GLIBC__
#define ROUNDS 10
#else
#define ROUNDS 1 /* musl loads a library once, and dlclose() does nothing */
#undef HAS_RSEQ  /* the library's copy of libkref has registered the area */
#endif

static pthread_barrier_t barrier;
static cpu_set_t allowed;
static int signals, busy;
static int (*library_open)(void);
static void (*library_use)(void);
static int (*library_close)(void);

static void handle(int signal)
{
    (void)signal;
    __atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

static void meet(void)
{
    int met = pthread_barrier_wait(&barrier);

    CHECK(met == 0 || met == PTHREAD_BARRIER_SERIAL_THREAD);
}

#ifdef HAS_RSEQ

/* The pointer to the thread's current sequence. */
static volatile uint64_t *rseq_cs(void)
{
    return (volatile uint64_t *)(rseq_area() + 8);
}

static void points_nowhere(void)
{
    CHECK(!__rseq_size || *rseq_cs() == 0);
}

/* The kernel kills a thread whose current sequence was unmapped. A newer kernel looks at it only if an interrupt
 * has stopped the thread, and not in a system call: no sequence makes one. So the signals are a timer's. */
static void a_pointer_left_behind_kills(void)
{
    pid_t child = __rseq_size ? fork() : 0;
    int status;

    CHECK(child >= 0);
    if (!__rseq_size)
        return;
    if (!child) {
        void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct itimerval often = {{0, 1000}, {0, 1000}};

        CHECK(page != MAP_FAILED && munmap(page, 4096) == 0);
        CHECK(signal(SIGALRM, handle) != SIG_ERR && setitimer(ITIMER_REAL, &often, NULL) == 0);
        *rseq_cs() = (uintptr_t)page;
        while (__atomic_load_n(&signals, __ATOMIC_RELAXED) < 1000) {
        }
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

#else

static void points_nowhere(void)
{
}

static void a_pointer_left_behind_kills(void)
{
}

#endif

static void move_to(int cpu)
{
    cpu_set_t one;

    while (!CPU_ISSET(cpu % CPU_SETSIZE, &allowed))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu % CPU_SETSIZE, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

static void *outlive(void *unused)
{
    int round, i;

    for (round = 0; round < ROUNDS; round++) {
        meet(); /* the library is loaded */
        for (i = 0; i < 20000; i++)
            library_use();
        points_nowhere();
        __atomic_fetch_sub(&busy, 1, __ATOMIC_RELAXED);
        meet(); /* no thread uses it */
        meet(); /* it is unloaded */
        for (i = 0; i < 500; i++) {
            move_to(i);
            sched_yield();
        }
        __atomic_fetch_sub(&busy, 1, __ATOMIC_RELAXED);
        meet();
    }
    return unused;
}

/* At least once, even if the threads are no longer busy: they wait at the barrier then. */
static void signal_while_busy(pthread_t *threads)
{
    do {
        int i;

        for (i = 0; i < THREADS; i++)
            CHECK(pthread_kill(threads[i], SIGUSR1) == 0);
        sched_yield();
    } while (__atomic_load_n(&busy, __ATOMIC_RELAXED));
}

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);

    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(library);
    *(void **)&library_open = dlsym(library, "library_open");
    *(void **)&library_use = dlsym(library, "library_use");
    *(void **)&library_close = dlsym(library, "library_close");
    CHECK(library_open && library_use && library_close);
    CHECK(library_open());
    return library;
}

/* Neither the library nor libkref is mapped any more. */
static void must_be_unmapped(const char *path)
{
#ifdef __GLIBC__
    const char *name = strrchr(path, '/');
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1024];
    Dl_info info;

    CHECK(name && maps);
    while (fgets(line, sizeof line, maps))
        CHECK(!strstr(line, name) && !strstr(line, "/libkref.so"));
    fclose(maps);
    CHECK(!dladdr(*(void **)&library_use, &info));
#else
    (void)path;
#endif
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    pthread_t threads[THREADS];
    int round, i;

    CHECK(argc == 2);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    a_pointer_left_behind_kills();
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    for (i = 0; i < THREADS; i++)
        start(&threads[i], outlive, NULL);
    for (round = 0; round < ROUNDS; round++) {
        void *library = load(argv[1]);

        busy = THREADS;
        meet();
        signal_while_busy(threads);
        meet();
        CHECK(library_close() == 2);
        CHECK(dlclose(library) == 0);
        must_be_unmapped(argv[1]);
        busy = THREADS;
        meet();
        signal_while_busy(threads);
        meet();
    }
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK(signals);
    printf("unload: %d rounds, %d signals\n", ROUNDS, signals);
    return 0;
}

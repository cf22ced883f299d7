/*
 * Makes the library's system calls and allocations fail, one at a time.
 *
 * try_each() runs a scenario again and again, each time in a new process. In run n, the n-th step of
 * begin_faults() .. end_faults() fails: a step is a system call or an allocation of the main thread. The
 * last run is the one that has no n-th step. So no list says which calls the library makes: a new call
 * fails here on the day on which it is written.
 *
 * A seccomp filter sends each system call of the main thread to a second thread, which refuses the call
 * or lets the kernel go on with it. Allocations come to the functions below, which replace libc's.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "check.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Steps that are no system calls. */
enum { NO_STEP = -1, MALLOC = -2, CALLOC = -3 };

enum mode {
    ONCE,        /* the step fails with EPERM */
    INTERRUPTED, /* the step fails with EINTR */
    FROM_NOW_ON, /* the step fails, and so do all later calls of this kind, as with a seccomp
                  * filter that is installed later */
    MODES
};

static struct {
    enum mode mode;
    long fail_at;
    int armed;
    long steps;
    /* The kind of the step that failed, or NO_STEP. */
    long failed;
    /* Since begin_faults(): allocations less frees, and mappings less their ends. */
    int blocks, pages;
} faults;

/* What the processes of all runs have in common. */
static struct {
    long last_failed;
    unsigned char failed[1024]; /* in some run, by kind */
} *runs;

#define KIND(kind) runs->failed[(kind) + 8]

__attribute__((constructor)) static void share_between_runs(void)
{
    runs = mmap(NULL, sizeof *runs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(runs != MAP_FAILED);
}

/* mmap() makes this system call. */
#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

static pid_t main_thread;
static int listener = -1;

/* The errno value with which the step fails, or 0. */
static int next_step(long kind)
{
    long step;

    if (!__atomic_load_n(&faults.armed, __ATOMIC_ACQUIRE))
        return 0;
    step = ++faults.steps;
    if (step == faults.fail_at) {
        faults.failed = runs->last_failed = kind;
        KIND(kind) = 1;
    } else if (step < faults.fail_at || faults.mode != FROM_NOW_ON || kind != faults.failed) {
        return 0;
    }
    return faults.mode == INTERRUPTED ? EINTR : EPERM;
}

static void *decide(void *unused)
{
    while (__atomic_load_n(&listener, __ATOMIC_ACQUIRE) < 0)
        sched_yield();
    for (;;) {
        struct seccomp_notif call;
        struct seccomp_notif_resp answer;
        int error = 0;

        memset(&call, 0, sizeof call);
        memset(&answer, 0, sizeof answer);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
            continue; /* a signal interrupted the call, which comes again */
        if ((pid_t)call.pid == main_thread)
            error = next_step(call.data.nr);
        if (!error && faults.armed)
            faults.pages += (call.data.nr == MMAP) - (call.data.nr == SYS_munmap);
        answer.id = call.id;
        answer.error = -error;
        answer.flags = error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return unused;
}

static void filter_system_calls(void)
{
    struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
    struct sock_fprog program = { 1, all };
    pthread_t decider;
    long fd;

    main_thread = getpid();
    start(&decider, decide, NULL);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    CHECK(fd >= 0); /* Linux 5.5 or later */
    __atomic_store_n(&listener, (int)fd, __ATOMIC_RELEASE);
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void __libc_free(void *memory);

/* Whether an allocation of the calling thread fails. */
static int no_memory(long kind)
{
    if (!__atomic_load_n(&faults.armed, __ATOMIC_ACQUIRE) || !next_step(kind)) {
        faults.blocks++;
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return no_memory(MALLOC) ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return no_memory(CALLOC) ? NULL : __libc_calloc(number, size);
}

void free(void *memory)
{
    faults.blocks -= memory != NULL;
    __libc_free(memory);
}

static void begin_faults(void)
{
    free(malloc(1 << 16)); /* so that malloc() needs no system call for a while */
    filter_system_calls();
    faults.blocks = faults.pages = 0;
    __atomic_store_n(&faults.armed, 1, __ATOMIC_RELEASE);
}

static void end_faults(void)
{
    __atomic_store_n(&faults.armed, 0, __ATOMIC_RELEASE);
}

/* Whether a step of this kind has failed. */
static int failed(long kind)
{
    return faults.failed == kind;
}

/* Whether a step of this kind has failed, and all later calls of the kind too. */
__attribute__((unused)) static int refused(long kind)
{
    return failed(kind) && faults.mode == FROM_NOW_ON;
}

__attribute__((unused)) static int failed_somewhere(long kind)
{
    return KIND(kind);
}

/*
 * Runs the scenario in each mode with each step failing. The scenario calls begin_faults() and
 * end_faults(), and checks the outcome. It may end by a signal if `killed` says so.
 */
static void try_each(const char *name, void (*scenario)(void), int (*killed)(int status))
{
    for (int mode = ONCE; mode < MODES; mode++) {
        int status = 0;

        for (long n = 1; !WIFEXITED(status) || WEXITSTATUS(status) == 0; n++) {
            pid_t child = fork();

            CHECK(child >= 0);
            if (!child) {
                faults.mode = (enum mode)mode;
                faults.fail_at = n;
                faults.failed = NO_STEP;
                scenario();
                CHECK(!faults.armed);
                _exit(failed(NO_STEP) ? 2 : 0);
            }
            CHECK(waitpid(child, &status, 0) == child);
            if (WIFEXITED(status) ? WEXITSTATUS(status) % 2 : !killed || !killed(status)) {
                dprintf(STDERR_FILENO, "%s, mode %d, step %ld, kind %ld: status %#x\n", name, mode, n,
                        runs->last_failed, status);
                _exit(1);
            }
        }
    }
}

#endif

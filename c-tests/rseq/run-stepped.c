/*
 * Under a debugger that steps through single instructions, each step restarts a sequence. A get
 * must not retry for ever: after some restarts it takes the path without sequences.
 *
 * On aarch64 without LSE no step gets past an ldxr and its stxr, in libc and elsewhere: a step clears the
 * processor's monitor. There the program does nothing.
 *
 * without: memcheck, which cannot be stepped through
 */
#define _GNU_SOURCE
#include "check.h"
#include "rseq.h"

#if defined __x86_64__ || defined __aarch64__ /* Linux cannot step through other processors' programs */

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

/* Far more than needed: a few hundred for the gets, and some thousand for the dynamic loader. */
#define MOST_STEPS 1000000

static struct kref_slot slot = KREF_SLOT_INIT;
static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;

static void release(struct kref *kref)
{
    (void)kref;
    _exit(2);
}

static void release_percpu(struct percpu_ref *ref)
{
    (void)ref;
    _exit(3);
}

struct session {
    struct kref kref;
};

static void session_cleanup(struct session *session)
{
    (void)session;
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

static void use_pool(void)
{
    struct session *session = session_alloc();
    uint64_t handle = session_handle(session);

    session_publish(session);
    if (session_by_handle(handle) != session)
        _exit(7);
    session_unref(session);
    session_unref(session);
    if (session_by_handle(handle))
        _exit(8);
}

static int can_step(void)
{
#ifdef __aarch64__
    return (getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0;
#else
    return 1;
#endif
}

static void be_stepped(struct percpu_ref *percpu)
{
    struct kref *kref;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(4);
    raise(SIGSTOP); /* the parent begins to step here */
    kref = kref_slot_get(&slot);
    if (!kref || kref_put(kref, release))
        _exit(5);
    percpu_ref_get(percpu);
    percpu_ref_put(percpu);
    if (percpu_ref_slot_get(&percpu_slot) != percpu)
        _exit(6);
    percpu_ref_put(percpu);
    use_pool();
    _exit(0);
}

#ifdef HAS_RSEQ
/* The address of the child's next instruction. */
static unsigned long child_at(pid_t child)
{
    struct user_regs_struct registers;
    struct iovec buffer = {&registers, sizeof registers};

    CHECK(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &buffer) == 0);
#ifdef __x86_64__
    return registers.rip;
#else
    return registers.pc;
#endif
}

/* Whether the child has just executed an abort handler's first instruction, of at most 9 bytes. */
static int has_restarted(pid_t child)
{
    unsigned long at = child_at(child), length;

    for (length = 1; length <= 9; length++) {
        void *before = (void *)(at - length - sizeof(uint32_t));

        errno = 0;
        if ((uint32_t)ptrace(PTRACE_PEEKTEXT, child, before, NULL) == abort_mark && !errno)
            return 1;
    }
    return 0;
}
#else
static int has_restarted(pid_t child)
{
    (void)child;
    return 0;
}
#endif

int main(void)
{
    struct kref kref = KREF_INIT(1);
    struct percpu_ref percpu;
    int status, steps = 0, restarts = 0, has_rseq = kref_rseq_available();
    pid_t child;

    if (!can_step())
        return 0;
    CHECK(percpu_ref_init(&percpu, release_percpu, 0) == 0);
    CHECK(kref_slot_replace(&slot, &kref) == NULL);
    CHECK(percpu_ref_slot_replace(&percpu_slot, &percpu) == NULL);
    child = fork();
    CHECK(child >= 0);
    if (!child)
        be_stepped(&percpu);
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
        return 0; /* a debugger already traces the program, or ptrace is forbidden */
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    do {
        restarts += has_restarted(child);
        CHECK(++steps < MOST_STEPS);
        CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        CHECK(waitpid(child, &status, 0) == child);
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(has_rseq ? restarts > 10 : !restarts);
    printf("%d steps, %d restarts\n", steps, restarts);

    CHECK(kref_slot_replace(&slot, NULL) == &kref);
    CHECK(percpu_ref_slot_replace(&percpu_slot, NULL) == &percpu);
    percpu_ref_exit(&percpu);
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

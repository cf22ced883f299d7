/*
 * A thread without restartable sequences must access a slot's object only under the lock: nothing
 * would restart the thread if a writer released the object meanwhile.
 *
 * The thread steps through a get, one instruction at a time. As soon as a register contains the
 * object's address while the lock is free, the writer replaces the object, releases it and unmaps
 * it.
 *
 * tools: static
 * without: asan, which has mutexes of its own
 * without: memcheck, which cannot step
 */
#define _GNU_SOURCE
#include "check.h"
#include "rseq.h"

#if defined HAS_RSEQ && defined __x86_64__ /* elsewhere a program cannot step through itself */

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE 4096
#define TRAP_FLAG 0x100u

static struct kref_slot slot;
static struct percpu_ref_slot percpu_slot;
static void *object;
static int locks, steps;
static void (*take_down)(void);

/* Replace libc's functions, and count the locks that are held. The program has one thread. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
    locks++;
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
    locks--;
    return 0;
}

static void unmap(void)
{
    CHECK(munmap(object, PAGE) == 0);
}

static void release(struct kref *kref)
{
    CHECK(kref == object);
    unmap();
}

static void release_percpu(struct percpu_ref *ref)
{
    CHECK(ref == object);
    percpu_ref_exit(ref);
    unmap();
}

static void take_down_kref(void)
{
    struct kref *old = kref_slot_replace(&slot, NULL);

    CHECK(old);
    kref_put(old, release);
}

static void take_down_percpu(void)
{
    struct percpu_ref *old = percpu_ref_slot_replace(&percpu_slot, NULL);

    CHECK(old);
    percpu_ref_kill(old);
}

static void step(int signal, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    static greg_t before[NGREG];
    int i, found = 0;

    (void)signal;
    (void)info;
    for (i = REG_R8; i <= REG_RCX; i++)
        found |= registers[i] == (greg_t)object && before[i] != (greg_t)object && steps;
    memcpy(before, registers, sizeof before);
    steps++;
    if (found && !locks && take_down) {
        void (*down)(void) = take_down;

        take_down = NULL;
        down();
    }
}

__attribute__((noinline)) static int slot_get(void)
{
    return kref_slot_get(&slot) != NULL;
}

__attribute__((noinline)) static int percpu_slot_get(void)
{
    return percpu_ref_slot_get(&percpu_slot) != NULL;
}

static int stepwise(int (*get)(void), void (*down)(void))
{
    unsigned long long flags = __builtin_ia32_readeflags_u64();
    int got;

    take_down = down;
    steps = 0;
    __builtin_ia32_writeeflags_u64(flags | TRAP_FLAG);
    got = get();
    __builtin_ia32_writeeflags_u64(flags);
    CHECK(steps > 20);
    return got;
}

static void *new_object(void)
{
    object = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(object != MAP_FAILED);
    return object;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};

    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    if (!kref_rseq_available())
        return 0;
    rseq_register(RSEQ_FLAG_UNREGISTER);

    CHECK(!slot_get() && !percpu_slot_get()); /* the dynamic loader has bound all functions now */
    kref_init(new_object());
    CHECK(kref_slot_replace(&slot, object) == NULL);
    CHECK(stepwise(slot_get, take_down_kref)); /* succeeds: the get held the lock */

    CHECK(percpu_ref_init(new_object(), release_percpu, 0) == 0);
    CHECK(percpu_ref_slot_replace(&percpu_slot, object) == NULL);
    CHECK(stepwise(percpu_slot_get, take_down_percpu));
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

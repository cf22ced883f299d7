/*
 * Uses objects while one system call is refused: filtered HOW [NUMBER ANSWER]. "quiet" makes no system call itself from
 * the filter to its end: a thread spins, and a handler on an alternate stack comes by a fault. "alone" is the same
 * without the thread. "busy" starts a thread,
 * forks, loads a plugin, and uses a slot and a percpu_ref, and does not mind if that fails. Each holds a reference at
 * its end.
 */
#define _GNU_SOURCE
#include "../object.h"
#include "filter.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

static struct object *shared;
static int ready, go, gone;
static sigjmp_buf back;
static ucontext_t here, there;

static __attribute__((noinline)) void use(int deep)
{
    struct object *own;

    if (deep > 0) {
        use(deep - 1);
        __asm__ volatile("");
        return;
    }
    own = object_new();
    kref_get(&own->kref);
    object_put(own);
    object_put(own);
    kref_get(&shared->kref);
    object_put(shared);
}

static void percpu_release(struct percpu_ref *ref)
{
    (void)ref;
}

static void use_slot_and_percpu_ref(void)
{
    static struct kref_slot slot;
    static struct percpu_ref ref;

    kref_slot_init(&slot);
    kref_get(&shared->kref);
    CHECK(!kref_slot_replace(&slot, &shared->kref));
    if (kref_slot_get(&slot))
        object_put(shared);
    if (kref_slot_replace(&slot, NULL))
        object_put(shared);
    if (percpu_ref_init(&ref, percpu_release, 0))
        return;
    percpu_ref_get(&ref);
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    percpu_ref_exit(&ref);
}

static void handle(int signal)
{
    /* So that the walk reads more than a page of this stack. */
    volatile char pages[8192];

    pages[0] = (char)signal;
    use(2);
    siglongjmp(back, 1);
}

static void *spin(void *unused)
{
    free(malloc(1 << 12)); /* so that malloc() needs no system call later */
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
        ;
    use(3);
    __atomic_store_n(&gone, 1, __ATOMIC_RELEASE);
    for (;;)
        ;
    return unused;
}

static void *work(void *unused)
{
    use(3);
    return unused;
}

static void coroutine(void)
{
    use(1);
}

static void prepare_to_be_quiet(int has_thread)
{
    static char memory[65536];
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK | SA_NODEFER };
    stack_t stack = { .ss_sp = memory, .ss_size = sizeof memory };
    pthread_t thread;

    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    if (!has_thread) {
        gone = 1;
        return;
    }
    start(&thread, spin, NULL);
    while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
        ;
}

static void quiet(void *no_memory)
{
    use(5);
    if (sigsetjmp(back, 0) == 0)
        *(volatile char *)no_memory = 1;
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&gone, __ATOMIC_ACQUIRE))
        ;
}

static void busy(const char *plugin)
{
    static char memory[65536];
    pthread_t thread;
    pid_t pid;

    use(5);
    if (pthread_create(&thread, NULL, work, NULL) == 0)
        pthread_join(thread, NULL);
    pid = fork();
    if (pid == 0) {
        use(4);
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (plugin && dlopen(plugin, RTLD_NOW))
        use(6);
    if (getcontext(&there) == 0) {
        there.uc_stack.ss_sp = memory;
        there.uc_stack.ss_size = sizeof memory;
        there.uc_link = &here;
        makecontext(&there, coroutine, 0);
        swapcontext(&here, &there);
    }
    use(7);
    use_slot_and_percpu_ref();
}

int main(int argc, char **argv)
{
    void *no_memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int is_alone = argc > 1 && strcmp(argv[1], "alone") == 0;
    int is_quiet = is_alone || (argc > 1 && strcmp(argv[1], "quiet") == 0);

    shared = object_new();
    if (is_quiet)
        prepare_to_be_quiet(!is_alone);
    CHECK(argc < 4 || filter(argv[2], argv[3]) == 0);
    if (is_quiet)
        quiet(no_memory);
    else
        busy(getenv("PLUGIN"));
    kref_get_as(&shared->kref, "kept");
    return 0;
}

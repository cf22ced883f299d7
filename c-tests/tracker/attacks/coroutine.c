/*
 * A get on a coroutine's stack, which ends somewhere, called by code without unwinding tables whose frame pointer points
 * to a page that is no memory: as a JIT or hand-written assembly does.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <sys/mman.h>
#include <ucontext.h>

#define STACK 65536

static struct object *object;
static ucontext_t thread_context, coroutine_context;
static char *no_memory;

#ifdef __x86_64__
void call_with(void *argument, void *frame, void (*function)(void *));
__asm__(".text\ncall_with:\npush %rbp\nmov %rsi, %rbp\nsub $8, %rsp\ncall *%rdx\nadd $8, %rsp\npop %rbp\nret\n");
#elif defined __aarch64__
void call_with(void *argument, void *frame, void (*function)(void *));
__asm__(".text\ncall_with:\nstp x29, x30, [sp, #-16]!\nmov x29, x1\nblr x2\nldp x29, x30, [sp], #16\nret\n");
#else
static void call_with(void *argument, void *frame, void (*function)(void *))
{
    (void)frame;
    function(argument);
}
#endif

static __attribute__((noinline, optimize("omit-frame-pointer"))) void get(void *kref)
{
    kref_get(kref);
}

static void coroutine(void)
{
    call_with(&object->kref, no_memory, get);
    swapcontext(&coroutine_context, &thread_context);
}

static void *work(void *unused)
{
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    no_memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED && no_memory != MAP_FAILED && getcontext(&coroutine_context) == 0);
    coroutine_context.uc_stack.ss_sp = stack;
    coroutine_context.uc_stack.ss_size = STACK;
    coroutine_context.uc_link = &thread_context;
    makecontext(&coroutine_context, coroutine, 0);
    CHECK(swapcontext(&thread_context, &coroutine_context) == 0);
    return unused;
}

int main(void)
{
    pthread_t thread;

    object = object_new();
    start(&thread, work, NULL);
    join(thread);
    object_put(object);
    object_put(object);
    return 0;
}

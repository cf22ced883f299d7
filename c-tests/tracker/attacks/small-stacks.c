/*
 * Gets and puts on the smallest stacks: with "thread" on that of a thread of PTHREAD_STACK_MIN, with "alternate" in a
 * handler on an alternate stack that has 6 KiB beside what the kernel pushes. The page below is no memory.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <limits.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define PAGE 4096

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static struct object *shared;

static void *work(void *unused)
{
    struct object *own = object_new();

    kref_get(&own->kref);
    object_put(own);
    object_put(own);
    kref_get(&shared->kref);
    object_put(shared);
    return unused;
}

static void handle(int signal)
{
    (void)signal;
    kref_get_as(&shared->kref, "handler");
    kref_put_as(&shared->kref, object_release, "handler");
}

static void on_a_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    CHECK(!pthread_attr_init(&attributes));
    CHECK(!pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN));
    CHECK(!pthread_create(&thread, &attributes, work, NULL));
    join(thread);
}

static void on_an_alternate_stack(void)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
    unsigned long pushed = getauxval(AT_MINSIGSTKSZ);
    stack_t stack = { .ss_size = (pushed > 2048 ? pushed : 2048) + 6 * 1024 };
    char *memory = mmap(NULL, PAGE + stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED && mprotect(memory, PAGE, PROT_NONE) == 0);
    stack.ss_sp = memory + PAGE;
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
    CHECK(raise(SIGUSR2) == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    shared = object_new();
    if (strcmp(argv[1], "thread") == 0)
        on_a_thread();
    else
        on_an_alternate_stack();
    object_put(shared);
    return 0;
}

/*
 * A thread that clone() makes, and not pthread_create(), has no restartable sequences. But its thread-local
 * storage looks as if the thread had them, because the storage is the parent's or is filled with zeros.
 * kref_rseq_available() must return 0 there.
 *
 * tools: static
 * without: asan, which needs a thread-local storage of its own
 * without: memcheck, which refuses these flags of clone()
 * without: qemu-user, which refuses these flags of clone(), too
 */
#define _GNU_SOURCE
#include "check.h"
#include "rseq.h"

#ifdef HAS_RSEQ

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK 65536

static int child(void *unused)
{
    (void)unused;
    syscall(SYS_exit_group, kref_rseq_available() ? 1 : 0);
    return 2;
}

static void *memory(void)
{
    void *found = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(found != MAP_FAILED);
    return found;
}

/* What kref_rseq_available() says in a child with this thread-local storage, or with its parent's. */
static int available_in_child(void *storage)
{
    int flags = CLONE_VM | SIGCHLD | (storage ? CLONE_SETTLS : 0), status;
    pid_t pid = clone(child, (char *)memory() + STACK, flags, NULL, NULL, storage, NULL);

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main(void)
{
    void **storage = (void **)memory() + STACK / 2 / sizeof(void *);
    int before = kref_rseq_available();

    CHECK(available_in_child(NULL) == 0);
    storage[0] = storage[2] = storage; /* glibc has a thread's pointer to its storage in two places */
#ifdef __GLIBC__ /* musl's functions crash there */
    CHECK(available_in_child(storage) == 0);
#endif
    CHECK(kref_rseq_available() == before); /* asking changes nothing */
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

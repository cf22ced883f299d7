/*
 * A page fault inside a sequence. The kernel serves the fault, and meanwhile a writer replaces the object and gives
 * back its last reference. The reader must then find the slot empty: the sequence starts over.
 *
 * A reader waits in its fault until userfaultfd(2) is told to go on, so all this happens in one order.
 *
 * tools: static
 * without: qemu-user, which has no userfaultfd()
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE ((size_t)4096)
#define CPU_SHIFT 9 /* of src/rseq/mod.rs: the distance of two CPUs' counters */

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static struct kref_slot slot = KREF_SLOT_INIT;
static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
static int ended[2]; /* a pipe: a reader writes when its get has ended */

/* ---- The page whose next access waits. ---- */

struct held {
    int fd;
    char *page, copy[4096];
};

static int new_fd(void)
{
    return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
}

/* By syscall(): musl's ioctl() takes an int. */
static long control(struct held *held, unsigned long request, void *argument)
{
    return syscall(SYS_ioctl, held->fd, request, argument);
}

static void hold(struct held *held, void *address)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};

    held->fd = new_fd();
    CHECK(held->fd >= 0);
    held->page = (char *)((uintptr_t)address & ~(PAGE - 1));
    memcpy(held->copy, held->page, PAGE);
    area.range.start = (uintptr_t)held->page;
    area.range.len = PAGE;
    CHECK(control(held, UFFDIO_API, &api) == 0);
    CHECK(control(held, UFFDIO_REGISTER, &area) == 0);
    CHECK(madvise(held->page, PAGE, MADV_DONTNEED) == 0);
}

/* Waits until the reader is in its fault. Then everybody else may use the page again. Returns 0 if the reader has
 * ended without a fault: it does not use the page. */
static int faulted(struct held *held)
{
    struct pollfd both[2] = {{held->fd, POLLIN, 0}, {ended[0], POLLIN, 0}};
    struct uffdio_copy copy = {.mode = UFFDIO_COPY_MODE_DONTWAKE, .len = PAGE};

    CHECK(poll(both, 2, -1) > 0);
    copy.dst = (uintptr_t)held->page;
    copy.src = (uintptr_t)held->copy;
    CHECK(control(held, UFFDIO_COPY, &copy) == 0);
    CHECK(both[0].revents == POLLIN || both[1].revents == POLLIN);
    return both[0].revents != 0;
}

/* The reader looks at the page again, and goes on. */
static void let_go(struct held *held)
{
    CHECK(close(held->fd) == 0);
}

/* ---- What is found after the fault. ---- */

static void *get(void *unused)
{
    void *found = kref_slot_get(&slot);

    (void)unused;
    CHECK(write(ended[1], "", 1) == 1);
    return found;
}

static void *get_percpu(void *unused)
{
    void *found = percpu_ref_slot_get(&percpu_slot);

    (void)unused;
    CHECK(write(ended[1], "", 1) == 1);
    return found;
}

/* Returns what the reader finds, if it has waited meanwhile. */
static void *result(pthread_t reader)
{
    void *found;
    char byte;

    CHECK(pthread_join(reader, &found) == 0 && read(ended[0], &byte, 1) == 1);
    return found;
}

static int released;

static void keep_mapped(struct kref *kref)
{
    CHECK(madvise(kref, PAGE, MADV_DONTNEED) == 0);
    released++;
}

static void unmap(struct kref *kref)
{
    CHECK(munmap(kref, PAGE) == 0);
    released++;
}

static void object(void (*release)(struct kref *kref))
{
    struct kref *kref = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct held held;
    pthread_t reader;

    CHECK(kref != MAP_FAILED);
    kref_init(kref);
    CHECK(!kref_slot_replace(&slot, kref));
    hold(&held, kref);
    released = 0;
    start(&reader, get, NULL);
    CHECK(faulted(&held));
    CHECK(kref_slot_replace(&slot, NULL) == kref);
    kref_put(kref, release);
    CHECK(released == 1);
    let_go(&held);
    CHECK(!result(reader));
}

/* The kernel restarts the sequence before it calls the handler. So the handler has nothing to do. */
static volatile sig_atomic_t signals;

static void go_on(int signal)
{
    (void)signal;
    signals = signals + 1;
}

static void object_unmapped(void)
{
    struct sigaction action = {.sa_handler = go_on}, before;

    CHECK(sigaction(SIGSEGV, &action, &before) == 0);
    object(unmap);
    CHECK(signals <= 1);
    CHECK(sigaction(SIGSEGV, &before, NULL) == 0);
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    released++;
}

/* The counters are libkref's memory. The last ones of the process are given back here. */
static void counters(void)
{
    static struct percpu_ref ref;
    struct held held;
    pthread_t reader;
    struct percpu_ref *found;
    cpu_set_t one;
    int cpu = sched_getcpu(), waited;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(percpu_ref_init(&ref, release_percpu, 0) == 0);
    CHECK(!percpu_ref_slot_replace(&percpu_slot, &ref));
    CHECK(ref.counters);
    hold(&held, (char *)ref.counters + ((size_t)cpu << CPU_SHIFT));
    released = 0;
    start(&reader, get_percpu, NULL);
    waited = faulted(&held);
    CHECK(percpu_ref_slot_replace(&percpu_slot, NULL) == &ref);
    percpu_ref_kill(&ref);
    CHECK(released == waited);
    let_go(&held);
    found = result(reader);
    CHECK(waited ? !found : found == &ref);
    if (found)
        percpu_ref_put(found);
}

int main(void)
{
    /* Without sequences the reader would have the slot's lock in its fault. */
    if (!kref_rseq_available() || new_fd() < 0) {
        printf("skipped: no restartable sequences, or no userfaultfd()\n");
        return 0;
    }
    CHECK(pipe(ended) == 0);
    object(keep_mapped);
    object_unmapped();
    counters();
    return 0;
}

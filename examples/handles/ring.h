/*
 * ring.h - as much of io_uring as io_uring.c needs, without liburing.
 *
 * Where the kernel refuses io_uring, a queue of the program stands in for it: each operation completes at once.
 */
#ifndef RING_H
#define RING_H

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_ENTRIES 8

static uint64_t queue[RING_ENTRIES];
static unsigned queued, taken;

#if defined __has_include
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#endif

#if defined __NR_io_uring_setup && defined IORING_OFF_SQES
#define FIELD(base, offset) ((unsigned *)(void *)((base) + (offset)))

static int ring = -1;
static struct io_uring_params params;
static char *sq, *cq;
static struct io_uring_sqe *operations;

static char *ring_map(size_t size, off_t offset)
{
    return (char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
}

/* Whether the kernel has given us a ring. */
static int ring_open(void)
{
    char *failed = (char *)MAP_FAILED, *sqes;

    ring = (int)syscall(__NR_io_uring_setup, RING_ENTRIES, &params);
    if (ring < 0)
        return 0;
    sq = ring_map(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    cq = ring_map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
                  IORING_OFF_CQ_RING);
    sqes = ring_map(params.sq_entries * sizeof *operations, IORING_OFF_SQES);
    operations = (struct io_uring_sqe *)(void *)sqes;
    if (sq != failed && cq != failed && sqes != failed)
        return 1;
    close(ring);
    ring = -1;
    return 0;
}

/* Submits a poll of fd, whose completion has this user_data. Returns 0, or -1. */
static int kernel_poll(int fd, uint64_t user_data)
{
    unsigned tail = *FIELD(sq, params.sq_off.tail), at = tail & *FIELD(sq, params.sq_off.ring_mask);

    memset(&operations[at], 0, sizeof operations[at]);
    operations[at].opcode = IORING_OP_POLL_ADD;
    operations[at].fd = fd;
    operations[at].poll_events = POLLIN;
    operations[at].user_data = user_data;
    FIELD(sq, params.sq_off.array)[at] = at;
    __atomic_store_n(FIELD(sq, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    return syscall(__NR_io_uring_enter, ring, 1, 0, 0, NULL, 0) == 1 ? 0 : -1;
}

/* Waits for a completion. Returns its user_data, or 0 on an error. */
static uint64_t kernel_wait(void)
{
    const struct io_uring_cqe *completions;
    unsigned head = *FIELD(cq, params.cq_off.head);
    uint64_t user_data;

    while (head == __atomic_load_n(FIELD(cq, params.cq_off.tail), __ATOMIC_ACQUIRE))
        if (syscall(__NR_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
            return 0;
    completions = (const struct io_uring_cqe *)(void *)(cq + params.cq_off.cqes);
    user_data = completions[head & *FIELD(cq, params.cq_off.ring_mask)].user_data;
    __atomic_store_n(FIELD(cq, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return user_data;
}
#else
enum { ring = -1 };
static int ring_open(void) { return 0; }
static int kernel_poll(int fd, uint64_t user_data) { return (void)fd, (void)user_data, -1; }
static uint64_t kernel_wait(void) { return 0; }
#endif

static int ring_poll(int fd, uint64_t user_data)
{
    if (ring >= 0)
        return kernel_poll(fd, user_data);
    queue[queued++] = user_data;
    return 0;
}

static uint64_t ring_wait(void)
{
    return ring >= 0 ? kernel_wait() : queue[taken++];
}

#endif

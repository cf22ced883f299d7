/*
 * kref_thread_create() with each system call and each allocation of pthread_create() failing. Either the
 * thread runs with the reference, or an error is returned and the caller alone has a reference.
 *
 * without: asan, which has an allocator and system calls of its own
 * without: memcheck, which has, too
 * without: qemu-user, which has no seccomp()
 * without: musl, whose malloc() has no other name
 */
#define _GNU_SOURCE
#include "faults.h"

static int n_released, ran;

static void release(struct kref *kref)
{
    (void)kref;
    n_released++;
}

static void *put(void *kref)
{
    ran = 1;
    kref_put(kref, release);
    return NULL;
}

static void thread(void)
{
    struct kref kref = KREF_INIT(1);
    pthread_t thread;
    int error;

    begin_faults();
    error = kref_thread_create(&thread, NULL, put, &kref, &kref, release);
    end_faults();
    if (error)
        CHECK(!failed(NO_STEP));
    else
        join(thread);
    CHECK(ran == !error && kref_read(&kref) == 1 && !n_released);
    if (failed(MMAP) || failed(CALLOC))
        CHECK(error);
    kref_put(&kref, release);
    CHECK(n_released == 1);
}

int main(void)
{
    try_each("thread", thread, NULL);
    CHECK(failed_somewhere(MMAP) && failed_somewhere(CALLOC));
    return 0;
}

/*
 * Runs examples/handles/io_uring.c while a seccomp filter refuses io_uring, as in many containers.
 *
 * tools: tsan
 * without: qemu-user, which has no seccomp filters
 */
#include "../../examples/handles/io_uring.c"
#include "refuse.h"

__attribute__((constructor)) static void refuse_io_uring(void)
{
    refuse(425 /* io_uring_setup(2), on every processor */);
    CHECK(!ring_open());
}

/*
 * Runs examples/handles/io_uring.c, with io_uring if the kernel allows that. Its status is 0 if exactly the
 * completions of closed sessions found nothing.
 *
 * tools: tsan
 */
#include "../../examples/handles/io_uring.c"

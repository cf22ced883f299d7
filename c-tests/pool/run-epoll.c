/*
 * Runs examples/handles/epoll.c. Its status is 0 if exactly the events of closed sessions found nothing.
 *
 * tools: tsan static
 */
#include "../../examples/handles/epoll.c"

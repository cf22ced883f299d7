/*
 * Runs examples/handles/timer.c. Its status is 0 if exactly the timers of jobs that ended found nothing.
 *
 * tools: tsan
 */
#include "../../examples/handles/timer.c"

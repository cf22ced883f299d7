/*
 * Runs examples/handles/observer.c. Its status is 0 if each observer was told of each notification while it
 * existed, and if no list has the one that ended.
 *
 * tools: tsan helgrind drd
 */
#include "../../examples/handles/observer.c"

/*
 * Runs examples/server/server.c. Its status is 0 if as many sessions were closed as opened.
 *
 * tools: tsan helgrind drd
 */
#include "../../examples/server/server.c"

/*
 * examples/server/server.c releases all that it made: with status 0 as many sessions were closed as opened.
 *
 * tools: tsan helgrind drd
 */
#include "../../examples/server/server.c"

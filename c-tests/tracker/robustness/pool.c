/*
 * Threads whose lookups by stale handles take references on other objects for a moment, and leave some of them to the
 * pool. Few rounds, since --chaos delays each.
 */
#define ROUNDS 1000
#include "../../pool/run-threads.c"

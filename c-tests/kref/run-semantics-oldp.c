/*
 * run-semantics.c with the kernel's names with two underscores: each row once with a place for the old count, and
 * once without. Also the rows of data/limited.csv: the operations with a limit.
 */
#define KERNEL_NAMES
#define WITH_OLDP
#include "run-semantics.c"

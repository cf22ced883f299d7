/*
 * run-semantics.c with the kernel's names of <linux/refcount.h>.
 */
#define KERNEL_NAMES
#include "run-semantics.c"

/*
 * run-semantics.c by the kernel's names, through <linux/refcount.h>: those that the table has.
 */
#define KERNEL_NAMES
#include "run-semantics.c"

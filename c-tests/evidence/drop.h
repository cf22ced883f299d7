/*
 * Included in front of each file of a mutant by evidence.rs. evidence_drop() stands in front of each put
 * of one role, and says whether this execution of the put is left out.
 *
 * EVIDENCE_DROP=all        each one
 * EVIDENCE_DROP=,3,17,     the fourth and the eighteenth
 * EVIDENCE_DROP=           none; at exit the number of executions is written to standard error
 */
#ifndef EVIDENCE_DROP_H
#define EVIDENCE_DROP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Weak, so that the files of one program share them. */
__attribute__((weak)) unsigned int evidence_executions;

__attribute__((weak, noinline)) int evidence_drop(void)
{
    unsigned int number = __atomic_fetch_add(&evidence_executions, 1, __ATOMIC_RELAXED);
    const char *which = getenv("EVIDENCE_DROP");
    char entry[16];

    /* A mutant that hangs is killed, and is not counted. */
    if (number == 0)
        alarm(20);
    snprintf(entry, sizeof entry, ",%u,", number);
    return !which || !strcmp(which, "all") || strstr(which, entry);
}

/* The files have one destructor each; only the first that runs finds a number. */
__attribute__((destructor)) static void evidence_count(void)
{
    const char *which = getenv("EVIDENCE_DROP");

    if (which && !*which && evidence_executions)
        fprintf(stderr, "executions: %u\n", evidence_executions);
    evidence_executions = 0;
}

#endif

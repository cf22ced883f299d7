/* Counts the signals that interrupt a sequence. The program must define _GNU_SOURCE first. */
#ifndef INTERRUPTED_H
#define INTERRUPTED_H

#include "rseq.h"

#include <stdint.h>
#include <ucontext.h>

/* Called in a signal handler: whether the signal has interrupted a sequence. The kernel then has set the thread to
 * the abort handler, before which the mark stands. */
static int was_in_sequence(const ucontext_t *context)
{
#ifdef HAS_RSEQ
#if defined __x86_64__
    uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    uintptr_t at = context->uc_mcontext.pc;
#else
    uintptr_t at = context->uc_mcontext.__gregs[REG_PC];
#endif
    uint32_t mark = 0;

    if (at % 4096 >= sizeof mark) /* else the mark's page may not exist */
        memcpy(&mark, (void *)(at - sizeof mark), sizeof mark);
    return mark == abort_mark;
#else
    (void)context;
    return 0;
#endif
}

#endif

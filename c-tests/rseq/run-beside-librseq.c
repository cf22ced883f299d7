/*
 * librseq ends the process if it finds another area registered for a thread. So in a program with librseq, libkref
 * registers none where the C library registers none.
 *
 * tools: static
 */
#include "rseq.h"

#if defined HAS_RSEQ && !defined __GLIBC__

/* librseq's function, by which libkref finds librseq. */
int rseq_register_current_thread(void);
int rseq_register_current_thread(void)
{
    static char area[32] __attribute__((aligned(32)));

    return (int)syscall(SYS_rseq, area, sizeof area, 0, abort_mark);
}

int main(void)
{
    CHECK(!kref_rseq_available());
    CHECK(rseq_register_current_thread() == 0);
    return 0;
}

#else

int main(void)
{
    return 0;
}

#endif

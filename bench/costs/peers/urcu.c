/*
 * A published pointer under liburcu's read lock; peers.rs compiles this file for each flavour, whose
 * header is HEADER. The object would be freed a grace period after the last put. A reader may find
 * the count at zero, so the reader takes a reference with kref_get_unless_zero().
 */
#define _LGPL_SOURCE /* the read lock inlined, liburcu at its best */
#include HEADER

#include "../loops.h"

static ALONE struct kref published = KREF_INIT(1);
static ALONE struct {
    struct kref *kref;
} table = { &published };

/* A thread calls enter() before its lookups and leave() after them. For urcu-bp both do nothing: the
 * first read lock registers the thread. */
void enter(void)
{
    rcu_register_thread();
}

void leave(void)
{
    rcu_unregister_thread();
}

void lookup(unsigned long n)
{
    struct kref **from = &table.kref;

    for (; n; n--) {
        struct kref *kref;

        FORGET(from);
        rcu_read_lock();
        kref = rcu_dereference(*from);
        if (kref && !kref_get_unless_zero(kref))
            kref = NULL;
        rcu_read_unlock();
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
        /* For urcu-qsbr, a thread has to say now and then that it reads nothing; for the other
         * flavours this call is empty. */
        if (n % 64 == 0)
            rcu_quiescent_state();
    }
}

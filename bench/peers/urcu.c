/*
 * A published pointer under liburcu's read lock. c.rs compiles this file for each flavour, which
 * HEADER names. The object is freed a grace period after the last put, so that a reader may still
 * look at its count, and has to take it unless it is zero.
 */
#define _LGPL_SOURCE /* the read lock inlined, liburcu at its best */
#include HEADER

#include "../loops.h"

static ALONE struct kref published = KREF_INIT(1);
static ALONE struct {
    struct kref *kref;
} table = { &published };

/* What a thread does before it reads, and when it will not read again. urcu-bp registers a thread at
 * its first lock. */
void enter(void)
{
    rcu_register_thread();
    rcu_read_lock();
    rcu_read_unlock();
}

void leave(void)
{
    rcu_unregister_thread();
}

void lookup(unsigned long n)
{
    struct kref **from = &table.kref;

    while (n--) {
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
        /* urcu-qsbr wants to hear now and then that nothing is being read; for the others this is
         * empty. */
        if (n % 64 == 0)
            rcu_quiescent_state();
    }
}

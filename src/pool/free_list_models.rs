//! Loom models of the free entries: the CPUs' caches, and the stacks behind them. A cache has room for three
//! entries here, and two entries move at once.
//!
//! Who has an entry writes to its object. So loom finds an entry that two threads have, and an entry that comes to
//! its next owner before the last one's writes.

use super::models::{Shared, alloc, free, write};
use super::*;
use crate::models::{CPU_0, CPU_1, NO_RSEQ, model_within_limits, spawn};
use crate::rseq::{Cached, run_on};

fn take(pool: &KrefPool) -> NonNull<Kref> {
    let kref = alloc(pool);
    write(pool, kref, 1);
    kref
}

/// Checks at the end of a model, in which threads still have `held` entries, that each other entry is free.
fn all_others_are_free(pool: &KrefPool, held: u32) {
    let used = pool.fresh.load(Relaxed);
    let mut free = 0;
    run_on(CPU_1);
    while let Cached::Done(_) = pool.caches().unwrap().pop() {
        free += 1;
    }
    run_on(CPU_0);
    while pool.take_free().is_some() && pool.fresh.load(Relaxed) == used {
        free += 1;
    }
    assert_eq!(held + free, used - FIRST, "an entry is lost");
}

/// Two threads of one CPU, each with its sequences between those of the other.
#[test]
fn threads_of_one_cpu_share_its_cache() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        let churn = move || {
            let [first, second] = [take(pool), take(pool)];
            free(pool, first);
            free(pool, second);
        };
        let other = spawn(CPU_0, churn);
        run_on(CPU_0);
        churn();
        other.join().unwrap();
        all_others_are_free(pool, 0);
    });
}

/// A thread frees more than its cache has room for. A thread of another CPU takes from what is left over.
#[test]
fn a_full_cache_gives_half_away() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        run_on(CPU_0);
        let krefs = [(); 4].map(|()| take(pool));
        let other = spawn(CPU_1, move || [take(pool), take(pool)]);
        krefs.iter().for_each(|&kref| free(pool, kref));
        let theirs = other.join().unwrap();
        assert_ne!(theirs[0], theirs[1], "given twice");
        all_others_are_free(pool, 2);
    });
}

/// A thread reads two entries of a stack, to take both at once. Meanwhile another thread takes both, and frees them
/// the other way round.
#[test]
fn an_empty_cache_takes_two_entries_or_neither() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        let [first, second] = [take(pool), take(pool)];
        free(pool, second);
        free(pool, first);
        let other = spawn(CPU_0, move || [take(pool), take(pool)]);
        let [first, second] = [take(pool), take(pool)];
        free(pool, first);
        let third = take(pool);
        let theirs = other.join().unwrap();
        assert!(third != second && theirs[0] != theirs[1], "given twice");
        assert!(!theirs.contains(&second) && !theirs.contains(&third), "given twice");
        all_others_are_free(pool, 4);
    });
}

/// A thread takes entries into its CPU's cache, and gives one of them back to the stack unused. Another thread has
/// read the stack's head when the entry was on top, with another one below. The entry's generation differs now.
#[test]
fn an_entry_that_nobody_used_does_not_come_back_as_it_was() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        let [below, entry, above, one, two] = [(); 5].map(|()| take(pool));
        run_on(CPU_0);
        free(pool, one);
        free(pool, two);
        run_on(NO_RSEQ);
        free(pool, below);
        free(pool, entry);
        let slow = spawn(NO_RSEQ, move || take(pool));
        free(pool, above);
        run_on(CPU_0);
        // As for a thread that has found the cache empty, before another one filled it.
        let refilled = pool.refill(pool.caches().unwrap());
        run_on(NO_RSEQ);
        let below = take(pool);
        run_on(CPU_0);
        if let Some(position) = refilled {
            pool.put_back(position);
        }
        run_on(NO_RSEQ);
        let last = [take(pool), take(pool)];
        let theirs = slow.join().unwrap();
        assert!(!last.contains(&below) && last[0] != last[1], "given twice");
        assert!(theirs != below && !last.contains(&theirs), "given twice");
        all_others_are_free(pool, 4);
    });
}

/// One CPU's stack has entries. Threads of another CPU, with and without sequences, take them and free their own.
#[test]
fn entries_move_from_cpu_to_cpu() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        let krefs = [(); 4].map(|()| take(pool));
        let spare = take(pool);
        let other = spawn(CPU_0, move || take(pool));
        let third = spawn(NO_RSEQ, move || {
            free(pool, spare);
            take(pool)
        });
        run_on(CPU_1);
        krefs.iter().for_each(|&kref| free(pool, kref));
        assert_ne!(other.join().unwrap(), third.join().unwrap(), "given twice");
        all_others_are_free(pool, 2);
    });
}

/// Two threads allocate first, and make the pool's memory.
#[test]
fn two_threads_make_the_pool() {
    model_within_limits(|| {
        let pool = Shared::new().0;
        let other = spawn(CPU_0, move || {
            let kref = take(pool);
            free(pool, kref);
        });
        run_on(CPU_0);
        let kref = take(pool);
        free(pool, kref);
        other.join().unwrap();
    });
}

/// A pool with a limit of three objects. Two entries are free on one CPU's stack, and one was never used. Two threads of
/// another CPU get all three.
#[test]
fn no_allocation_fails_below_the_limit() {
    model_within_limits(|| {
        let pool = Shared::with_limit(3).0;
        let krefs = [(); 2].map(|()| take(pool));
        run_on(CPU_1);
        krefs.iter().for_each(|&kref| free(pool, kref));
        let other = spawn(CPU_0, move || take(pool));
        run_on(CPU_0);
        let [first, second] = [take(pool), take(pool)];
        let theirs = other.join().unwrap();
        assert!(first != second && first != theirs && second != theirs, "given twice");
        assert_eq!(pool.alloc(), None);
    });
}

/// There are never more than two objects, but the free entry moves from one CPU to the other.
#[test]
fn no_allocation_fails_below_the_limit_while_entries_move() {
    model_within_limits(|| {
        let pool = Shared::with_limit(2).0;
        let [first, second] = [(); 2].map(|()| take(pool));
        run_on(CPU_1);
        free(pool, second);
        let other = spawn(CPU_0, move || pool.alloc().is_some());
        run_on(CPU_0);
        free(pool, first);
        run_on(CPU_1);
        let _ = pool.alloc();
        assert!(other.join().unwrap(), "failed below the limit");
    });
}

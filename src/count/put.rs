//! Giving references back.

use super::{Count, SATURATED};
use crate::locked::RawLock;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::violation::{Violation, report};

/// What became of a decrement.
pub(crate) enum Put {
    Done,
    /// It was the last; where the operation is not to take the last, nothing was done.
    Last,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

impl Count {
    /// Gives back `n` references; `true` if they were the last. A negative `n` saturates.
    #[inline]
    pub fn sub_and_test(&self, n: i32) -> bool {
        match self.try_sub(n, false) {
            Put::Done => false,
            Put::Last => true,
            Put::Failed(kind) => report(kind, self, false),
        }
    }

    /// Gives back one reference; `true` if it was the last.
    #[inline(always)]
    pub fn dec_and_test(&self) -> bool {
        match self.try_dec() {
            Put::Done => false,
            Put::Last => true,
            Put::Failed(kind) => report(kind, self, false),
        }
    }

    /// [`dec_and_test`](Self::dec_and_test) that leaves the report to the caller.
    #[inline(always)]
    pub(crate) fn try_dec(&self) -> Put {
        self.dec_found(self.lower())
    }

    /// The decrement alone; what it found goes to [`dec_found`](Self::dec_found).
    #[inline(always)]
    pub(crate) fn lower(&self) -> i32 {
        // Release: pairs with the acquire load of whoever puts last.
        self.refs.fetch_sub(1, Release)
    }

    /// What a decrement means that found `old`.
    #[inline(always)]
    pub(crate) fn dec_found(&self, old: i32) -> Put {
        if old > 1 {
            return Put::Done;
        }
        if old != 1 {
            return Put::Failed(self.saturate(put_violation(old)));
        }
        self.acquire_last()
    }

    /// What the last put does before the memory is anyone's to reuse.
    #[inline(always)]
    fn acquire_last(&self) -> Put {
        // Acquire: pairs with the release decrement of every earlier put.
        let _ = self.refs.load(Acquire);
        Put::Last
    }

    /// Gives back one reference that is known not to be the last; reaching zero saturates.
    #[inline]
    pub fn dec(&self) {
        let old = self.lower();
        if old <= 1 {
            let kind = if old == 1 { Violation::DecToZero } else { put_violation(old) };
            report(self.saturate(kind), self, true);
        }
    }

    /// Takes the count from 1 to 0; `false`, and nothing done, if it was not 1. Never reports.
    #[inline]
    pub fn dec_if_one(&self) -> bool {
        // Acquire: this was the last reference, it pairs with every earlier release. Release: as
        // every decrement; nothing here acquires a zero, a caller's fence after `read` may.
        self.refs.compare_exchange(1, 0, AcqRel, Relaxed).is_ok()
    }

    /// Gives back one reference unless it is the last; `false` if it is.
    #[inline]
    pub fn dec_not_one(&self) -> bool {
        match self.try_sub(1, true) {
            Put::Done => true,
            Put::Last => false,
            Put::Failed(kind) => report(kind, self, true),
        }
    }

    /// Gives back `n`, unless they are the last and `keep_last` says to leave them.
    #[inline(always)]
    fn try_sub(&self, n: i32, keep_last: bool) -> Put {
        let mut old = self.refs.load(Relaxed);
        loop {
            let fits = n >= 0 && old > 0 && old >= n;
            let last = n > 0 && old == n;
            if last && keep_last {
                return Put::Last;
            }
            // The exchange itself saturates, as in `try_add`: a large `n` must not leave the count
            // where other threads' puts could bring it back to life.
            let new = if fits { old - n } else { SATURATED };
            // Release: pairs with the acquire load of whoever puts last.
            match self.refs.compare_exchange_weak(old, new, Release, Relaxed) {
                Ok(_) if !fits => return Put::Failed(put_violation(old)),
                Ok(_) if last => return self.acquire_last(),
                Ok(_) => return Put::Done,
                Err(now) => old = now,
            }
        }
    }

    /// Gives back one reference, taking `lock` only if it may be the last. `true`, with the lock
    /// held, if it was.
    ///
    /// If the lock cannot be taken the reference is not given back, and that is reported.
    #[inline(always)]
    pub fn dec_and_lock<L: RawLock + ?Sized>(&self, lock: &L) -> bool {
        match self.try_dec_and_lock(lock) {
            Put::Done => false,
            Put::Last => true,
            Put::Failed(kind) => report(kind, self, false),
        }
    }

    /// [`dec_and_lock`](Self::dec_and_lock) that leaves the report to the caller.
    #[inline(always)]
    pub(crate) fn try_dec_and_lock<L: RawLock + ?Sized>(&self, lock: &L) -> Put {
        match self.try_sub(1, true) {
            Put::Last => {}
            done_or_failed => return done_or_failed,
        }
        if lock.lock().is_err() {
            return Put::Failed(Violation::LockFailed);
        }
        // A reference taken meanwhile may make this one not the last.
        match self.try_dec() {
            Put::Last => Put::Last,
            done_or_failed => {
                // SAFETY: this thread took it above.
                unsafe { lock.unlock() };
                done_or_failed
            }
        }
    }
}

/// What it means that a put found `old`, less than it was to give back.
fn put_violation(old: i32) -> Violation {
    if old < 0 { Violation::Saturated } else { Violation::PutOnZero }
}

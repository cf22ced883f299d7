//! Taking references.

use super::{Count, MAX, SATURATED};
use crate::sync::{
    Ordering,
    Ordering::{Acquire, Relaxed},
};
use crate::violation::{Violation, report};

/// What became of an increment.
pub(crate) enum Get {
    Done,
    /// Nothing was done.
    WasZero,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

impl Count {
    /// Takes one more reference: the caller holds one already.
    #[inline(always)]
    pub fn inc(&self) {
        // Relaxed: the caller's own reference is what keeps and shows it the object.
        let old = self.refs.fetch_add(1, Relaxed);
        if !is_live_for_get(old) {
            self.inc_found(old);
        }
    }

    /// What an increment means that found `old`, and could not count on from there.
    #[inline(always)]
    pub(crate) fn inc_found(&self, old: i32) {
        report(self.saturate(get_violation(old)), self, true);
    }

    /// [`inc`](Self::inc) that leaves the report to the caller.
    #[inline]
    pub(crate) fn try_inc(&self) -> Get {
        // Relaxed: a reference that somebody holds keeps the object; a lock may show it.
        self.try_inc_found(self.refs.fetch_add(1, Relaxed))
    }

    /// What an increment means that found `old`.
    #[inline]
    pub(crate) fn try_inc_found(&self, old: i32) -> Get {
        if is_live_for_get(old) {
            Get::Done
        } else {
            Get::Failed(self.saturate(get_violation(old)))
        }
    }

    /// Takes `n` more references. A negative `n` saturates.
    #[inline]
    pub fn add(&self, n: i32) {
        match self.try_add(n, Relaxed) {
            Get::Done => {}
            Get::WasZero => self.inc_found(0),
            Get::Failed(kind) => _ = report(kind, self, true),
        }
    }

    /// Takes one reference unless the count is zero; `false` if it was.
    #[inline(always)]
    pub fn inc_not_zero(&self) -> bool {
        let mut old = self.refs.load(Relaxed);
        loop {
            if !is_live_for_get(old) {
                return self.add_not_zero(1);
            }
            // Relaxed: as in `inc`; what made the pointer visible orders the object's contents.
            match self.refs.compare_exchange_weak(old, old + 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
    }

    /// [`inc_not_zero`](Self::inc_not_zero) that leaves the report to the caller.
    #[inline]
    pub(crate) fn try_inc_not_zero(&self) -> Get {
        self.try_add(1, Relaxed)
    }

    /// Takes `n` references unless the count is zero; `false` if it was.
    #[inline]
    pub fn add_not_zero(&self, n: i32) -> bool {
        self.add_not_zero_ordered(n, Relaxed)
    }

    /// [`inc_not_zero`](Self::inc_not_zero) with acquire ordering on success.
    #[inline]
    pub fn inc_not_zero_acquire(&self) -> bool {
        self.add_not_zero_acquire(1)
    }

    /// [`add_not_zero`](Self::add_not_zero) with acquire ordering on success.
    #[inline]
    pub fn add_not_zero_acquire(&self, n: i32) -> bool {
        // Acquire: pairs with the release of a decrement that was not the last.
        self.add_not_zero_ordered(n, Acquire)
    }

    #[inline(always)]
    fn add_not_zero_ordered(&self, n: i32, success: Ordering) -> bool {
        match self.try_add(n, success) {
            Get::Done => true,
            Get::WasZero => false,
            Get::Failed(kind) => report(kind, self, true),
        }
    }

    #[inline(always)]
    fn try_add(&self, n: i32, success: Ordering) -> Get {
        let mut old = self.refs.load(Relaxed);
        loop {
            if old == 0 {
                return Get::WasZero;
            }
            let fits = n >= 0 && old > 0 && old <= MAX - n;
            // The exchange itself saturates: a bare store could hit a count that has since been
            // put to zero, and with it memory that is no longer the object's.
            let new = if fits { old + n } else { SATURATED };
            match self.refs.compare_exchange_weak(old, new, success, Relaxed) {
                Ok(_) if fits => return Get::Done,
                Ok(_) => return Get::Failed(get_violation(old)),
                Err(now) => old = now,
            }
        }
    }
}

/// One unsigned compare that is false for zero, for `MAX` and for every negative value.
#[inline(always)]
fn is_live_for_get(old: i32) -> bool {
    (old as u32).wrapping_sub(1) < (MAX - 1) as u32
}

/// What it means that a get found `old`, which it could not count on from.
fn get_violation(old: i32) -> Violation {
    match old {
        0 => Violation::GetOnZero,
        1.. => Violation::Overflow,
        _ => Violation::Saturated,
    }
}

//! Taking references.

use core::ffi::{c_char, c_int};
use core::ptr;

use super::{Count, MAX};
use crate::sync::{
    Ordering,
    Ordering::{Acquire, Relaxed},
};
use crate::violation::{Violation, as_bool, report};

/// What became of an increment.
pub(crate) enum Get {
    Done,
    /// Nothing was done.
    WasZero,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

/// What became of an increment that does not go where it cannot count on.
enum Add {
    Done,
    WasZero,
    /// Nothing was done: the count is not live, or it would not fit.
    Slow,
}

impl Count {
    /// Takes one more reference: the caller holds one already.
    #[inline(always)]
    pub fn inc(&self) {
        if let Err(old) = self.raise() {
            self.inc_found(old, ptr::null());
        }
    }

    /// The increment alone; what it found, where it could not count on from there, goes to
    /// [`inc_found`](Self::inc_found).
    #[inline(always)]
    pub(crate) fn raise(&self) -> Result<(), i32> {
        // Relaxed: a reference that the caller or somebody else holds keeps and shows the object; or
        // a lock does.
        let old = self.refs.fetch_add(1, Relaxed);
        if is_live_for_get(old) { Ok(()) } else { Err(old) }
    }

    /// What an increment means that found `old`, not live. The holder's name is for a tracker; null is
    /// none.
    #[cold]
    #[inline(never)]
    pub(crate) fn inc_found(&self, old: i32, holder: *const c_char) {
        if let Get::Failed(kind) = self.inc_slow(old, holder) {
            report(kind, self, true);
        }
    }

    /// [`inc`](Self::inc) that leaves the report to the caller.
    #[inline]
    pub(crate) fn try_inc(&self) -> Get {
        match self.raise() {
            Ok(()) => Get::Done,
            Err(old) => self.inc_slow(old, ptr::null()),
        }
    }

    /// What an increment means that found `old`, and is all that keeps the object, which it took from
    /// `slot`.
    #[inline]
    pub(crate) fn try_inc_found<T>(&self, old: i32, slot: *const T) -> Get {
        if is_live_for_get(old) { Get::Done } else { self.inc_slow_unheld(old, slot) }
    }

    /// Takes `n` more references. A negative `n` saturates.
    #[inline]
    pub fn add(&self, n: i32) {
        match self.try_add(n, Relaxed) {
            Add::Done => {}
            Add::WasZero | Add::Slow => self.add_found(n),
        }
    }

    /// [`add`](Self::add) to what is not live.
    #[cold]
    #[inline(never)]
    fn add_found(&self, n: i32) {
        let kind = match self.add_slow(n, ptr::null()) {
            Get::Done => return,
            Get::WasZero => self.saturate(Violation::GetOnZero),
            Get::Failed(kind) => kind,
        };
        report(kind, self, true);
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
        match self.try_add(1, Relaxed) {
            Add::Done => Get::Done,
            Add::WasZero => Get::WasZero,
            Add::Slow => self.add_slow(1, ptr::null()),
        }
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
            Add::Done => true,
            Add::WasZero => false,
            // SAFETY: it returns 0 or 1.
            Add::Slow => unsafe { as_bool(self.add_not_zero_found(n)) },
        }
    }

    /// [`add_not_zero`](Self::add_not_zero) to what is not live.
    #[cold]
    #[inline(never)]
    fn add_not_zero_found(&self, n: i32) -> c_int {
        match self.add_slow(n, ptr::null()) {
            Get::Done => 1,
            Get::WasZero => 0,
            Get::Failed(kind) => report(kind, self, true).into(),
        }
    }

    #[inline(always)]
    fn try_add(&self, n: i32, success: Ordering) -> Add {
        let mut old = self.refs.load(Relaxed);
        loop {
            if old == 0 {
                return Add::WasZero;
            }
            if n < 0 || old < 0 || old > MAX - n {
                return Add::Slow;
            }
            match self.refs.compare_exchange_weak(old, old + n, success, Relaxed) {
                Ok(_) => return Add::Done,
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

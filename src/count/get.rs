//! Taking references.

use core::ffi::c_char;
use core::ptr;

use super::Count;
use super::number_line::{FREED_AT, stored};
use crate::kind::{Caller, ViolationKind};
use crate::report::{or_report, report};
use crate::sys::sync::{
    Ordering,
    Ordering::{Acquire, Relaxed},
};

/// The stored value of [`MAX`](super::MAX) references. The compare-and-exchange loops stop here.
const FULL: i32 = stored(super::MAX);

impl Count {
    /// Takes one more reference. The caller holds one already.
    #[inline(always)]
    #[track_caller]
    pub fn inc(&self) {
        self.inc_from(Caller::here());
    }

    #[inline(always)]
    pub(crate) fn inc_from(&self, caller: Caller) {
        if !self.raise() {
            self.inc_cold(ptr::null(), caller);
        }
    }

    /// The increment alone; `false` if [`inc_slow`](Self::inc_slow) must follow. On x86-64 it compiles to
    /// `lock inc` and a conditional jump.
    #[inline(always)]
    pub(crate) fn raise(&self) -> bool {
        // Relaxed: the caller already holds a reference or a lock, so the caller already sees the object.
        self.stored.fetch_add(1, Relaxed) < -1
    }

    /// The rest of [`inc`](Self::inc), after an increment of a count that was not alive, or was full.
    /// `holder` is the holder's name for the tracker, or null.
    #[cold]
    #[inline(never)]
    pub(crate) fn inc_cold(&self, holder: *const c_char, caller: Caller) {
        if let Err(kind) = self.inc_slow(holder) {
            report(kind, self.address(), caller);
        }
    }

    /// [`inc`](Self::inc) without the report.
    #[inline]
    pub(crate) fn try_inc(&self) -> Result<(), ViolationKind> {
        if self.raise() { Ok(()) } else { self.inc_slow(ptr::null()) }
    }

    /// Takes `n` more references. A negative `n` saturates.
    #[inline]
    #[track_caller]
    pub fn add(&self, n: i32) {
        self.add_from(n, Caller::here());
    }

    #[inline]
    pub(crate) fn add_from(&self, n: i32, caller: Caller) {
        // The cold path is good for every count. Nobody adds many references often.
        or_report(self.add_held_slow(n, ptr::null()), self, (), caller);
    }

    /// Takes one reference unless the count is zero. `false` if the count is zero.
    #[inline(always)]
    #[track_caller]
    pub fn inc_not_zero(&self) -> bool {
        self.inc_not_zero_from(Caller::here())
    }

    #[inline(always)]
    pub(crate) fn inc_not_zero_from(&self, caller: Caller) -> bool {
        let mut old = self.stored.load(Relaxed);
        while old < FULL {
            // Relaxed: the lock, or what else protects the lookup, orders the object's contents.
            match self.stored.compare_exchange_weak(old, old + 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        self.inc_not_zero_cold(caller)
    }

    /// Takes `n` references unless the count is zero. `false` if the count is zero. A negative `n`
    /// saturates.
    #[inline]
    #[track_caller]
    pub fn add_not_zero(&self, n: i32) -> bool {
        or_report(self.try_add(n, Relaxed), self, true, Caller::here())
    }

    /// [`inc_not_zero`](Self::inc_not_zero) with acquire ordering on success.
    #[inline]
    #[track_caller]
    pub fn inc_not_zero_acquire(&self) -> bool {
        self.add_not_zero_acquire(1)
    }

    /// [`add_not_zero`](Self::add_not_zero) with acquire ordering on success.
    #[inline]
    #[track_caller]
    pub fn add_not_zero_acquire(&self, n: i32) -> bool {
        self.add_not_zero_acquire_from(n, Caller::here())
    }

    #[inline]
    pub(crate) fn add_not_zero_acquire_from(&self, n: i32, caller: Caller) -> bool {
        // Acquire: pairs with the release of `set_release`, and of a put that was not the last.
        or_report(self.try_add(n, Acquire), self, true, caller)
    }

    /// The rest of [`inc_not_zero`](Self::inc_not_zero) for a count that is not alive, or is full.
    #[cold]
    #[inline(never)]
    fn inc_not_zero_cold(&self, caller: Caller) -> bool {
        let taken = or_report(self.add_slow(1, ptr::null()), self, true, caller);
        if !taken && self.stored.load(Relaxed) == FREED_AT {
            report(ViolationKind::GetOnZero, core::ptr::from_ref(self).cast(), caller);
        }
        taken
    }

    /// Takes `n` references. If the count is zero, changes nothing and returns `false`. `success` is the
    /// ordering of the exchange: relaxed or acquire.
    #[inline(always)]
    pub(crate) fn try_add(&self, n: i32, success: Ordering) -> Result<bool, ViolationKind> {
        if self.add_alive(n, success) { Ok(true) } else { self.add_slow(n, ptr::null()) }
    }

    /// The hot path of [`try_add`](Self::try_add) alone: `false` if the count is not alive, or would be full.
    #[inline(always)]
    pub(crate) fn add_alive(&self, n: i32, success: Ordering) -> bool {
        let mut old = self.stored.load(Relaxed);
        // `FULL - old` cannot overflow: `old` is negative.
        while n >= 0 && old < 0 && n <= FULL - old {
            match self.stored.compare_exchange_weak(old, old + n, success, Relaxed) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        false
    }
}

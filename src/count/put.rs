//! Giving references back.

use super::Count;
use super::number_line::{DEAD, stored};
use super::tracked::is_tracked;
use crate::kind::{Caller, ViolationKind};
use crate::report::or_report;
use crate::sys::lock::RawLock;
use crate::sys::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::tracker::By;

/// The stored value of one reference.
const ONE: i32 = stored(1);

/// The result of [`Count::lower`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lowered {
    /// References are left.
    Alive,
    /// The reference was the last, and the count is dead now. The caller calls [`Count::acquire_last`]
    /// before the object is released.
    Last,
    /// The count was not alive. The caller calls [`Count::dec_slow`].
    NotAlive,
}

/// The result of giving references back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// References are left.
    Done,
    /// The references were the last. Without `keep_last` they are given back, and the count is dead now.
    /// With `keep_last` the count is unchanged.
    Last,
    /// The references were the last of a tracked count. The caller runs `release` and then calls the
    /// tracker's `done`.
    LastTracked,
}

impl Put {
    pub(crate) fn is_last(self) -> bool {
        self != Self::Done
    }
}

impl Count {
    /// Decrements the stored value. Does not run the cold path, and does not acquire.
    #[inline(always)]
    pub(crate) fn lower(&self) -> Lowered {
        imp::lower(&self.stored)
    }

    /// The acquire of the last put. After this the caller may release the object.
    #[inline(always)]
    pub(crate) fn acquire_last(&self) {
        // Acquire: pairs with the release decrement of every earlier put.
        let _ = self.stored.load(Acquire);
    }

    /// Gives back `n` references. `true` if they were the last. A negative `n` saturates.
    #[inline]
    #[track_caller]
    pub fn sub_and_test(&self, n: i32) -> bool {
        self.sub_and_test_from(n, Caller::here())
    }

    #[inline]
    pub(crate) fn sub_and_test_from(&self, n: i32, caller: Caller) -> bool {
        or_report(self.try_sub(n, false, By::NOBODY).map(Put::is_last), self, false, caller)
    }

    /// Gives back one reference. `true` if it was the last.
    #[inline(always)]
    #[track_caller]
    pub fn dec_and_test(&self) -> bool {
        self.dec_and_test_from(Caller::here())
    }

    #[inline(always)]
    pub(crate) fn dec_and_test_from(&self, caller: Caller) -> bool {
        match self.lower() {
            Lowered::Alive => false,
            Lowered::Last => {
                self.acquire_last();
                true
            }
            Lowered::NotAlive => self.dec_and_test_cold(caller),
        }
    }

    /// The rest of [`dec_and_test`](Self::dec_and_test) after [`Lowered::NotAlive`].
    #[cold]
    #[inline(never)]
    pub(crate) fn dec_and_test_cold(&self, caller: Caller) -> bool {
        let put = self.dec_slow(false, By::NOBODY);
        or_report(put.map(Put::is_last), self, false, caller)
    }

    /// Gives back one reference. The caller knows that it is not the last; if it is, the count saturates.
    #[inline]
    #[track_caller]
    pub fn dec(&self) {
        self.dec_from(Caller::here());
    }

    #[inline]
    pub(crate) fn dec_from(&self, caller: Caller) {
        let lowered = self.lower();
        if lowered != Lowered::Alive {
            or_report(self.dec_to_zero(lowered), self, (), caller);
        }
    }

    #[cold]
    #[inline(never)]
    fn dec_to_zero(&self, lowered: Lowered) -> Result<(), ViolationKind> {
        let was_last = lowered == Lowered::Last || self.dec_slow(true, By::NOBODY)?.is_last();
        if was_last { Err(self.saturate(ViolationKind::DecToZero)) } else { Ok(()) }
    }

    /// Gives back the reference if it is the only one. Otherwise changes nothing and returns `false`.
    /// Never reports.
    #[inline]
    pub fn dec_if_one(&self) -> bool {
        // Acquire: this is the last put, so it pairs with the release of every earlier put. Release: a
        // thread that reads zero and then makes an acquire fence sees what this thread did before.
        match self.stored.compare_exchange(ONE, DEAD, AcqRel, Relaxed) {
            Ok(_) => true,
            Err(old) => is_tracked(old) && self.dec_if_one_slow(old),
        }
    }

    /// Gives back one reference unless it is the last. `false` if it is the last.
    #[inline]
    #[track_caller]
    pub fn dec_not_one(&self) -> bool {
        self.dec_not_one_from(Caller::here())
    }

    #[inline]
    pub(crate) fn dec_not_one_from(&self, caller: Caller) -> bool {
        or_report(self.try_sub(1, true, By::NOBODY).map(|put| !put.is_last()), self, true, caller)
    }

    /// Gives back `n` references. If they are the last and `keep_last` is set, changes nothing.
    #[inline(never)]
    pub(crate) fn try_sub(&self, n: i32, keep_last: bool, by: By) -> Result<Put, ViolationKind> {
        let last = stored(n);
        let mut old = self.stored.load(Relaxed);
        // True if the count is alive and has at least `n` references. If `n` is 0 or negative, `last` is
        // positive, so this is false.
        while old < 0 && old >= last {
            if old == last && keep_last {
                return Ok(Put::Last);
            }
            let new = if old == last { DEAD } else { old - n };
            // Release: pairs with the acquire load of the last put.
            match self.stored.compare_exchange_weak(old, new, Release, Relaxed) {
                Ok(_) if old == last => {
                    self.acquire_last();
                    return Ok(Put::Last);
                }
                Ok(_) => return Ok(Put::Done),
                Err(now) => old = now,
            }
        }
        self.sub_slow(n, keep_last, by)
    }

    /// Gives back one reference. If it is the last, takes `lock` first, and returns `true` with the lock held. A
    /// put that is not the last does not touch the lock.
    ///
    /// If the lock cannot be taken, the reference is not given back, and a violation is reported.
    #[inline]
    #[track_caller]
    pub fn dec_and_lock(&self, lock: &dyn RawLock) -> bool {
        self.dec_and_lock_from(lock, Caller::here())
    }

    #[inline]
    pub(crate) fn dec_and_lock_from(&self, lock: &dyn RawLock, caller: Caller) -> bool {
        let put = self.try_dec_and_lock(lock, By::NOBODY);
        or_report(put.map(Put::is_last), self, false, caller)
    }

    /// [`dec_and_lock`](Self::dec_and_lock) without the report.
    pub(crate) fn try_dec_and_lock(
        &self,
        lock: &dyn RawLock,
        by: By,
    ) -> Result<Put, ViolationKind> {
        if self.try_sub(1, true, by)? == Put::Done {
            return Ok(Put::Done);
        }
        if lock.lock().is_err() {
            return Err(ViolationKind::LockFailed);
        }
        // This may not be the last reference any more: before this thread had the lock, another thread
        // may have taken one. `sub_slow` is correct for every count. It is slow, but taking the lock was
        // slower.
        let put = self.sub_slow(1, false, by);
        if !put.is_ok_and(Put::is_last) {
            // SAFETY: this thread took the lock above.
            unsafe { lock.unlock() };
        }
        put
    }
}

/// `lock sub` and its flags. For `fetch_sub`, which returns the old value, the compiler would emit
/// `lock xadd`, which is slower on older processors. Not for x32: in its 32-bit operand the upper half of an address
/// register is undefined.
#[cfg(all(
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "x86"),
    not(any(loom, miri, kref_sanitized))
))]
mod imp {
    use core::sync::atomic::AtomicI32;

    use super::Lowered;

    #[inline(always)]
    pub(super) fn lower(stored: &AtomicI32) -> Lowered {
        let (not_alive, last): (u8, u8);
        // SAFETY: subtracts 1 from a valid atomic. A locked instruction is both a release and an acquire.
        unsafe {
            core::arch::asm!(
                "lock sub dword ptr [{stored}], 1",
                "setns {not_alive}",
                "seto {last}",
                "adc {not_alive}, 0", // the carry: zero-filled memory
                stored = in(reg) stored.as_ptr(),
                not_alive = out(reg_byte) not_alive,
                last = out(reg_byte) last,
                options(nostack),
            );
        }
        match (not_alive, last) {
            (0, _) => Lowered::Alive,
            (_, 0) => Lowered::NotAlive,
            _ => Lowered::Last,
        }
    }
}

#[cfg(not(all(
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "x86"),
    not(any(loom, miri, kref_sanitized))
)))]
mod imp {
    use super::{Lowered, ONE};
    use crate::sys::sync::{AtomicI32, Ordering::Release};

    #[inline(always)]
    pub(super) fn lower(stored: &AtomicI32) -> Lowered {
        // Release: pairs with the acquire load of the last put.
        let old = stored.fetch_sub(1, Release);
        if old == ONE {
            Lowered::Last
        } else if old < 0 {
            Lowered::Alive
        } else {
            Lowered::NotAlive
        }
    }
}

//! Giving references back.

use core::ffi::c_int;

use super::Count;
use super::slow::put_violation;
use crate::locked::RawLock;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::tracker::By;
use crate::violation::{Violation, as_bool, report};

/// What became of a decrement.
pub(crate) enum Put {
    Done,
    /// It was the last; where the operation is not to take the last, nothing was done.
    Last,
    /// It was the last, and a tracker that has heard so wants to hear when `release` has run.
    LastTracked,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

/// What became of a decrement that stays among the live.
pub(crate) enum Sub {
    Done,
    /// As [`Put::Last`].
    Last,
    /// Nothing was done: the count is not live, or less than is to be given back.
    Slow,
}

impl Count {
    /// Gives back `n` references; `true` if they were the last. A negative `n` saturates.
    #[inline]
    pub fn sub_and_test(&self, n: i32) -> bool {
        match self.try_sub(n, false) {
            Sub::Done => false,
            Sub::Last => true,
            // SAFETY: it returns 0 or 1.
            Sub::Slow => unsafe { as_bool(self.sub_and_test_found(n)) },
        }
    }

    /// [`sub_and_test`](Self::sub_and_test) from what is not live.
    #[cold]
    #[inline(never)]
    fn sub_and_test_found(&self, n: i32) -> c_int {
        self.report_put(self.sub_slow(n, false, By::NOBODY))
    }

    /// Gives back one reference; `true` if it was the last.
    #[inline(always)]
    pub fn dec_and_test(&self) -> bool {
        let old = self.lower();
        match Self::dec_found(old) {
            Sub::Done => false,
            Sub::Last => self.acquire_last().is_last(),
            // SAFETY: it returns 0 or 1.
            Sub::Slow => unsafe { as_bool(self.dec_and_test_found(old)) },
        }
    }

    /// What a decrement means that found `old`, not live.
    #[cold]
    #[inline(never)]
    fn dec_and_test_found(&self, old: i32) -> c_int {
        self.report_put(self.dec_slow(old, false, By::NOBODY))
    }

    /// What a put returns whose caller has what would be the release function.
    #[inline(always)]
    fn report_put(&self, put: Put) -> c_int {
        match put {
            Put::Failed(kind) => report(kind, self, false).into(),
            put => put.is_last().into(),
        }
    }

    /// The decrement alone; what it found goes to [`dec_found`](Self::dec_found).
    #[inline(always)]
    pub(crate) fn lower(&self) -> i32 {
        // Release: pairs with the acquire load of whoever puts last.
        self.refs.fetch_sub(1, Release)
    }

    /// What a decrement means that found `old`. If it was the last,
    /// [`acquire_last`](Self::acquire_last) is still to come.
    #[inline(always)]
    pub(crate) fn dec_found(old: i32) -> Sub {
        match old {
            2.. => Sub::Done,
            1 => Sub::Last,
            _ => Sub::Slow,
        }
    }

    /// What the last put does before the memory is anyone's to reuse.
    #[inline(always)]
    pub(crate) fn acquire_last(&self) -> Put {
        // Acquire: pairs with the release decrement of every earlier put.
        let _ = self.refs.load(Acquire);
        Put::Last
    }

    /// Gives back one reference that is known not to be the last; reaching zero saturates.
    #[inline]
    pub fn dec(&self) {
        let old = self.lower();
        if old <= 1 {
            self.dec_to_zero(old);
        }
    }

    /// What [`dec`](Self::dec) means that found `old`, 1 or not live.
    #[cold]
    #[inline(never)]
    fn dec_to_zero(&self, old: i32) {
        let put = if old == 1 { Put::Last } else { self.dec_slow(old, true, By::NOBODY) };
        let kind = match put {
            Put::Done => return,
            Put::Failed(kind) => kind,
            Put::Last | Put::LastTracked => self.saturate(Violation::DecToZero),
        };
        report(kind, self, true);
    }

    /// Takes the count from 1 to 0; `false`, and nothing done, if it was not 1. Never reports.
    #[inline]
    pub fn dec_if_one(&self) -> bool {
        // Acquire: this was the last reference, it pairs with every earlier release. Release: as
        // every decrement; nothing here acquires a zero, a caller's fence after `read` may.
        match self.refs.compare_exchange(1, 0, AcqRel, Relaxed) {
            Ok(_) => true,
            Err(old) => old < 0 && self.dec_if_one_slow(old),
        }
    }

    /// Gives back one reference unless it is the last; `false` if it is.
    #[inline]
    pub fn dec_not_one(&self) -> bool {
        match self.try_sub(1, true) {
            Sub::Done => true,
            Sub::Last => false,
            // SAFETY: it returns 0 or 1.
            Sub::Slow => unsafe { as_bool(self.dec_not_one_found()) },
        }
    }

    /// [`dec_not_one`](Self::dec_not_one) from what is not live.
    #[cold]
    #[inline(never)]
    fn dec_not_one_found(&self) -> c_int {
        match self.sub_slow(1, true, By::NOBODY) {
            Put::Failed(kind) => report(kind, self, true).into(),
            put => (!put.is_last()).into(),
        }
    }

    /// Gives back `n` live references, unless they are the last and `keep_last` says to leave them.
    #[inline(always)]
    fn try_sub(&self, n: i32, keep_last: bool) -> Sub {
        let mut old = self.refs.load(Relaxed);
        loop {
            if n < 0 || old <= 0 || old < n {
                return Sub::Slow;
            }
            let last = old == n;
            if last && keep_last {
                return Sub::Last;
            }
            // Release: pairs with the acquire load of whoever puts last.
            match self.refs.compare_exchange_weak(old, old - n, Release, Relaxed) {
                Ok(_) if last => {
                    let _ = self.acquire_last();
                    return Sub::Last;
                }
                Ok(_) => return Sub::Done,
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
            Ok(last) => last,
            // SAFETY: it returns 0 or 1.
            Err(failed) => unsafe { as_bool(self.dec_and_lock_found(failed, lock)) },
        }
    }

    /// [`dec_and_lock`](Self::dec_and_lock) of what is not live, or `failed` already.
    #[cold]
    #[inline(never)]
    fn dec_and_lock_found<L: RawLock + ?Sized>(
        &self,
        failed: Option<Violation>,
        lock: &L,
    ) -> c_int {
        let put = failed.map_or_else(|| self.dec_and_lock_slow(lock, By::NOBODY), Put::Failed);
        self.report_put(put)
    }

    /// [`dec_and_lock`](Self::dec_and_lock) that leaves the report to the caller: the violation, or
    /// `None` where nothing was done, because the count is not live.
    #[inline(always)]
    pub(crate) fn try_dec_and_lock<L: RawLock + ?Sized>(
        &self,
        lock: &L,
    ) -> Result<bool, Option<Violation>> {
        match self.try_sub(1, true) {
            Sub::Done => return Ok(false),
            Sub::Last => {}
            Sub::Slow => return Err(None),
        }
        if lock.lock().is_err() {
            return Err(Some(Violation::LockFailed));
        }
        // A reference taken meanwhile may make this one not the last.
        let old = self.lower();
        if let Sub::Last = Self::dec_found(old) {
            return Ok(self.acquire_last().is_last());
        }
        // SAFETY: this thread took it above.
        unsafe { lock.unlock() };
        // Below one it was misused meanwhile: a count that is tracked was so before.
        if old > 1 { Ok(false) } else { Err(Some(self.saturate(put_violation(old)))) }
    }

    /// [`dec_and_lock`](Self::dec_and_lock) of what is not live.
    #[cold]
    #[inline(never)]
    pub(crate) fn dec_and_lock_slow<L: RawLock + ?Sized>(&self, lock: &L, by: By) -> Put {
        match self.sub_slow(1, true, by) {
            Put::Last => {}
            done_or_failed => return done_or_failed,
        }
        if lock.lock().is_err() {
            return Put::Failed(Violation::LockFailed);
        }
        let put = self.sub_slow(1, false, by);
        if !put.is_last() {
            // SAFETY: this thread took it above.
            unsafe { lock.unlock() };
        }
        put
    }
}

impl Put {
    /// Whether it was the last.
    #[inline(always)]
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Last | Self::LastTracked)
    }
}

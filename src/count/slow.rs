//! Every operation again, for counts that are tracked or misused: where the hot path ends.
//!
//! These operations are rare. A tracked count is slow with its tracker's consent; a misused count is
//! reported. All are loops over a compare-and-exchange that stores "saturated" in the exchange itself
//! where the count does not allow the operation. A bare store could hit a count that another thread has
//! meanwhile put to zero, and memory that is no longer the object's.
//!
//! # What the tracker is told, and when
//!
//! * `putting` while the caller's reference still counts, so the object cannot go.
//! * `released` after the last reference went, before `release` runs.
//! * After `released` nothing, because the memory may belong to another object. Exceptions: violations,
//!   a `getting` that comes to nothing, and `done` of a put that was not the last.
//! * `getting` and `got` again, if an operation that has told `putting` must not give back: other
//!   threads were faster.

use core::ffi::c_char;

use super::number_line::{
    self, DEAD, SATURATED_AT, Zone, misuse_of_get, misuse_of_increment, misuse_of_put, zone,
};
use super::tracked::{Less, less, more, of, references, without};
use super::{Count, Put};
use crate::kind::Violation;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys::tsan;
use crate::tracker::{self, By};

/// Whether this is the stored value of a tracked count.
fn is_tracked(s: i32) -> bool {
    zone(s) == Zone::Tracked
}

impl Count {
    /// Starts over as a tracked count of one reference.
    pub(crate) fn set_tracked(&self) {
        // Relaxed: as in `set`.
        self.stored.store(of(1), Relaxed);
    }

    /// Whether a tracker counts. True for as long as a reference is held.
    #[cfg(feature = "capi")]
    pub(crate) fn is_tracked(&self) -> bool {
        is_tracked(self.stored.load(Relaxed))
    }

    /// The rest of an increment, which the calling thread has made, of a count that was not alive or
    /// was full. The caller holds a reference, or was promised one.
    #[cold]
    #[inline(never)]
    pub(super) fn inc_slow(&self, holder: *const c_char) -> Result<(), Violation> {
        let now = self.stored.load(Relaxed);
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_increment(now.wrapping_sub(1))));
        }
        self.take_back(1);
        self.add_held_slow(holder)
    }

    /// The rest of an increment that is all that keeps the object: a slot's reader has made it. The
    /// reference is counted, and the increment taken back, in one step.
    #[cold]
    #[inline(never)]
    pub(crate) fn inc_slow_unheld<T>(&self, slot: *const T) -> Result<(), Violation> {
        tsan::acquire(slot); // the tracker sees the object as the object was published
        let now = self.stored.load(Relaxed);
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_increment(now.wrapping_sub(1))));
        }
        tracker::getting(self.address());
        let counted = |value| without(more(value, 1)?, 1);
        // Relaxed: as in `raise`; the increment has shown the object to this thread.
        match self.stored.fetch_update(Relaxed, Relaxed, counted) {
            Ok(before) => {
                let count = counted(before).map_or(1, references);
                tracker::got(self.address(), 1, count, core::ptr::null());
                Ok(())
            }
            // Dead, saturated, full, or made anew and not tracked.
            Err(_) => self.add_held_slow(core::ptr::null()),
        }
    }

    /// Takes one reference; a count of zero is misuse, because the caller was promised a reference.
    fn add_held_slow(&self, holder: *const c_char) -> Result<(), Violation> {
        if self.add_slow(1, holder)? {
            return Ok(());
        }
        Err(self.saturate(misuse_of_get(self.stored.load(Relaxed))))
    }

    /// Takes `n` references; `false`, and nothing done, if the count is zero.
    #[cold]
    #[inline(never)]
    pub(super) fn add_slow(&self, n: i32, holder: *const c_char) -> Result<bool, Violation> {
        let mut told = false;
        let mut old = self.stored.load(Relaxed);
        loop {
            if let Zone::Dead | Zone::NeverInitialised = zone(old) {
                return Ok(false);
            }
            if is_tracked(old) && !told {
                told = true;
                tracker::getting(self.address());
                old = self.stored.load(Relaxed); // the tracker may have taken its time
                continue;
            }
            let new = more(old, n);
            let next = new.unwrap_or(SATURATED_AT);
            // Acquire: for the `_acquire` forms, which come here too; pairs with the release of a
            // decrement that was not the last.
            match self.stored.compare_exchange_weak(old, next, Acquire, Relaxed) {
                Ok(_) => {
                    let Some(new) = new else { return Err(misuse_of_get(old)) };
                    if is_tracked(new) {
                        tracker::got(self.address(), n, references(new), holder);
                    }
                    return Ok(true);
                }
                Err(now) => old = now,
            }
        }
    }

    /// The rest of a decrement, which the calling thread has made, of a count that was not alive.
    #[cold]
    #[inline(never)]
    pub(crate) fn dec_slow(&self, keep_last: bool, by: By) -> Result<Put, Violation> {
        let now = self.stored.load(Relaxed);
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_put(now.wrapping_add(1))));
        }
        self.take_back(-1);
        self.sub_slow(1, keep_last, by)
    }

    /// Gives back `n` references; if they are the last and `keep_last` says so, does nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn sub_slow(&self, n: i32, keep_last: bool, by: By) -> Result<Put, Violation> {
        let mut told = false;
        let mut old = self.stored.load(Relaxed);
        loop {
            let (was_tracked, becomes) = (is_tracked(old), less(old, n));
            if becomes == Less::Last && keep_last {
                self.tell_again(told, n, old, by);
                return Ok(Put::Last);
            }
            if was_tracked && !told && becomes != Less::TooFew {
                told = true;
                tracker::putting(self.address(), n, references(old), by);
                tsan::release(self); // what the tracker has done precedes the last put as well
                old = self.stored.load(Relaxed); // the tracker may have taken its time
                continue;
            }
            let new = match becomes {
                Less::To(new) => new,
                Less::Last => DEAD,
                Less::TooFew => SATURATED_AT,
            };
            // Release: pairs with the acquire load of the last put.
            match self.stored.compare_exchange_weak(old, new, Release, Relaxed) {
                Ok(_) => return self.lowered(old, becomes, by),
                Err(now) => old = now,
            }
        }
    }

    /// What `sub_slow` returns after it has changed the count.
    fn lowered(&self, old: i32, becomes: Less, by: By) -> Result<Put, Violation> {
        match (becomes, is_tracked(old)) {
            (Less::TooFew, _) => Err(misuse_of_put(old)),
            (Less::Last, true) => Ok(self.end(by)),
            (Less::Last, false) => {
                self.acquire_last();
                Ok(Put::Last)
            }
            (Less::To(_), true) => {
                tracker::done(self.address());
                Ok(Put::Done)
            }
            (Less::To(_), false) => Ok(Put::Done),
        }
    }

    /// [`dec_if_one`](Self::dec_if_one) on a tracked count that stood at `old`.
    #[cold]
    #[inline(never)]
    pub(super) fn dec_if_one_slow(&self, old: i32) -> bool {
        if less(old, 1) != Less::Last {
            return false;
        }
        tracker::putting(self.address(), 1, 1, By::NOBODY);
        // Release: as for a live count; `end` acquires.
        match self.stored.compare_exchange(old, DEAD, Release, Relaxed) {
            Ok(_) => self.end(By::NOBODY).is_last(),
            Err(now) => {
                self.tell_again(true, 1, now, By::NOBODY);
                false
            }
        }
    }

    /// Tells the tracker that references stay which it was told are put. The count stands at `value`.
    fn tell_again(&self, told: bool, n: i32, value: i32, by: By) {
        if told {
            let count = number_line::references(value);
            tracker::getting(self.address());
            tracker::got(self.address(), n, count, by.holder);
        }
    }

    /// The end of a tracked count, before the caller runs `release`.
    fn end(&self, by: By) -> Put {
        self.acquire_last();
        tsan::acquire(self);
        tracker::released(self.address(), by);
        Put::LastTracked
    }

    /// Takes back what the calling thread has added on its way here.
    fn take_back(&self, added: i32) {
        // Relaxed: the operation itself is still to come.
        let _ = self.stored.fetch_update(Relaxed, Relaxed, |value| without(value, added));
    }
}

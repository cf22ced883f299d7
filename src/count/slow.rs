//! Every operation again, for counts that are not live or might not stay so: where the hot path ends.
//!
//! What gets here is rare: a count that is tracked, by a tracker's leave as slow as it takes; or one
//! that is misused. All of it is written as loops over a compare-and-exchange, which saturates itself
//! where the count does not allow the operation: a bare store could hit a count that has since been
//! put to zero, and with it memory that is no longer the object's.
//!
//! # What a tracker is told
//!
//! `putting` is told while the caller's reference still counts and the object cannot go; `released`
//! after the last reference went, before `release` runs. So nothing is told of an object after its
//! memory may be another's, but violations, and what counts nothing: `getting` of a get that comes too
//! late, `done` of a put that was not the last. An operation that was told to be putting, and then must
//! not, because others were quicker, is told to get the reference again.

use core::ffi::c_char;
use core::ptr;

use super::tracked::{Lowered, is_tracked, lowered, of, raised, readable, references, without};
use super::{Count, Get, Put, SATURATED};
use crate::kref::Kref;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::tracker::{self, By};
use crate::tsan;
use crate::violation::Violation;

impl Count {
    /// Starts over as a tracked count that stands at 1.
    pub(crate) fn set_tracked(&self) {
        self.set(of(1));
    }

    /// Whether a tracker is told of it, as long as somebody holds a reference.
    #[cfg(feature = "capi")]
    pub(crate) fn is_tracked(&self) -> bool {
        is_tracked(self.refs.load(Relaxed))
    }

    /// The kref that this is the count of, to a tracker.
    fn as_kref(&self) -> *const Kref {
        ptr::from_ref(self).cast()
    }

    /// What an increment means that found `old`, not live. The caller holds a reference, or was
    /// promised one.
    #[cold]
    #[inline(never)]
    pub(super) fn inc_slow(&self, old: i32, holder: *const c_char) -> Get {
        if is_tracked(old) {
            self.take_back(1);
            self.never_zero(self.add_slow(1, holder))
        } else {
            Get::Failed(self.saturate(get_violation(old)))
        }
    }

    /// What an increment means that found `old`, not live, and that is all that keeps the object: a
    /// slot's reader's. So it counts, and takes back what it has added, in one step.
    #[cold]
    #[inline(never)]
    pub(super) fn inc_slow_unheld<T>(&self, old: i32, slot: *const T) -> Get {
        tsan::acquire(slot); // whoever is told of the object sees it as it was published
        if !is_tracked(old) {
            return Get::Failed(self.saturate(get_violation(old)));
        }
        tracker::getting(self.as_kref());
        let counted = |value| without(raised(value, 1)?, 1);
        // Relaxed: as in `inc`; the increment has shown the object to this thread.
        match self.refs.fetch_update(Relaxed, Relaxed, counted) {
            Ok(before) => {
                let count = counted(before).map_or(1, readable);
                tracker::got(self.as_kref(), 1, count, ptr::null());
                Get::Done
            }
            // Dead, saturated, full, or made anew and not tracked.
            Err(_) => self.never_zero(self.add_slow(1, ptr::null())),
        }
    }

    /// Zero is a violation to whom something promised a reference.
    fn never_zero(&self, got: Get) -> Get {
        match got {
            Get::WasZero => Get::Failed(self.saturate(Violation::GetOnZero)),
            got => got,
        }
    }

    /// Takes `n` references unless the count is zero.
    #[cold]
    #[inline(never)]
    pub(super) fn add_slow(&self, n: i32, holder: *const c_char) -> Get {
        let mut told = false;
        let mut old = self.refs.load(Relaxed);
        loop {
            if old == 0 {
                return Get::WasZero;
            }
            if is_tracked(old) && !told {
                told = true;
                tracker::getting(self.as_kref());
                old = self.refs.load(Relaxed); // that may have taken its time
                continue;
            }
            let new = raised(old, n);
            let next = new.unwrap_or(SATURATED);
            // Acquire: for the forms that say so, which come here too; pairs with the release of a
            // decrement that was not the last.
            match self.refs.compare_exchange_weak(old, next, Acquire, Relaxed) {
                Ok(_) => {
                    let Some(new) = new else { return Get::Failed(get_violation(old)) };
                    if is_tracked(new) {
                        tracker::got(self.as_kref(), n, references(new), holder);
                    }
                    return Get::Done;
                }
                Err(now) => old = now,
            }
        }
    }

    /// What a decrement means that found `old`, neither the last reference nor one of several live.
    #[cold]
    #[inline(never)]
    pub(crate) fn dec_slow(&self, old: i32, keep_last: bool, by: By) -> Put {
        if is_tracked(old) {
            self.take_back(-1);
            self.sub_slow(1, keep_last, by)
        } else {
            Put::Failed(self.saturate(put_violation(old)))
        }
    }

    /// Gives back `n` references, unless they are the last and `keep_last` says to leave them.
    #[cold]
    #[inline(never)]
    pub(super) fn sub_slow(&self, n: i32, keep_last: bool, by: By) -> Put {
        let mut told = false;
        let mut old = self.refs.load(Relaxed);
        loop {
            let (was_tracked, becomes) = (is_tracked(old), lowered(old, n));
            if becomes == Lowered::Last && keep_last {
                self.tell_again(told, n, old, by);
                return Put::Last;
            }
            if was_tracked && !told && becomes != Lowered::TooFew {
                told = true;
                tracker::putting(self.as_kref(), n, references(old), by);
                tsan::release(self); // what the tracker has done comes before the last put as well
                old = self.refs.load(Relaxed); // that may have taken its time
                continue;
            }
            let new = match becomes {
                Lowered::To(new) => new,
                Lowered::Last => 0,
                Lowered::TooFew => SATURATED,
            };
            // Release: pairs with the acquire load of whoever puts last.
            match self.refs.compare_exchange_weak(old, new, Release, Relaxed) {
                Ok(_) if becomes == Lowered::TooFew => return Put::Failed(put_violation(old)),
                Ok(_) if !was_tracked && new == 0 => return self.acquire_last(),
                Ok(_) if !was_tracked => return Put::Done,
                Ok(_) if new == 0 => return self.end(by),
                Ok(_) => {
                    tracker::done(self.as_kref());
                    return Put::Done;
                }
                Err(now) => old = now,
            }
        }
    }

    /// [`dec_if_one`](Self::dec_if_one) that found `old`, which is not 1.
    #[cold]
    #[inline(never)]
    pub(super) fn dec_if_one_slow(&self, old: i32) -> bool {
        if !is_tracked(old) || lowered(old, 1) != Lowered::Last {
            return false;
        }
        tracker::putting(self.as_kref(), 1, 1, By::NOBODY);
        // Release: as for a live count; `end` acquires.
        match self.refs.compare_exchange(old, 0, Release, Relaxed) {
            Ok(_) => matches!(self.end(By::NOBODY), Put::LastTracked),
            Err(now) => {
                self.tell_again(true, 1, now, By::NOBODY);
                false
            }
        }
    }

    /// What was told to be given back stays, at `value`.
    fn tell_again(&self, told: bool, n: i32, value: i32, by: By) {
        if told {
            tracker::getting(self.as_kref());
            tracker::got(self.as_kref(), n, readable(value), by.holder);
        }
    }

    /// What the last put of a tracked count does before `release` runs, which its caller calls.
    fn end(&self, by: By) -> Put {
        let _ = self.acquire_last();
        tsan::acquire(self);
        tracker::released(self.as_kref(), by);
        Put::LastTracked
    }

    /// Takes back what the caller has added or taken on its way here.
    fn take_back(&self, transient: i32) {
        // Relaxed: the operation itself is still to come.
        let _ = self.refs.fetch_update(Relaxed, Relaxed, |value| without(value, transient));
    }
}

/// What a count is read as that stands at `found`.
#[cold]
#[inline(never)]
pub(super) fn read_slow(found: i32) -> i32 {
    readable(found)
}

/// What it means that a get found `old`, which it could not count on from.
fn get_violation(old: i32) -> Violation {
    match old {
        0 => Violation::GetOnZero,
        1.. => Violation::Overflow,
        _ if is_tracked(old) => Violation::Overflow,
        _ => Violation::Saturated,
    }
}

/// What it means that a put found `old`, less than it was to give back.
pub(super) fn put_violation(old: i32) -> Violation {
    if old < 0 && !is_tracked(old) { Violation::Saturated } else { Violation::PutOnZero }
}

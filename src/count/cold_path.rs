//! The cold path: the operations on counts that are not alive, or that are full.
//!
//! These operations are rare, so they may be slow: a tracked count calls its tracker, and a misused
//! count is saturated. `add_slow` and `sub_slow` loop over a compare-and-exchange. If the count has too many
//! or too few references for the operation, the exchange stores "saturated". A plain store would be wrong
//! here: meanwhile another thread may have given back the last reference and freed the object.
//!
//! # When the tracker is called
//!
//! * `putting` while the caller's reference still counts, so that the object cannot be freed meanwhile.
//! * `released` after the last reference is gone, before `release` runs.
//! * After `released` no function is called with this address, because the memory may soon belong to
//!   another object. There are three exceptions: a violation, a `getting` whose get then fails, and the
//!   `done` of a put that was not the last.
//! * An operation with `keep_last` may call `putting` and then find that its reference has become the last
//!   one. Then the operation keeps the reference, and calls `getting` and `got` to cancel the `putting`.
//! * `let_go` when a tracked count gets more references than it can have. After that no function is called with
//!   this address.
//! * A lookup under a lock calls `got` when it has unlocked the lock (`tell_got`).
//! * A lookup in a pool may take a reference on another object than the one that it looks for. It calls `got`
//!   when it knows that the object is the right one, or when the reference stays. The tracker never learns of a
//!   reference that the lookup gives back at once.

use core::ffi::c_char;

use super::misuse::{misuse_of_get, misuse_of_increment, misuse_of_put};
use super::number_line::{self, DEAD, SATURATED_AT, Zone, zone};
use super::tracked::{LET_GO_AT, Less, is_tracked, less, more, of, references, without};
use super::{Count, Put};
use crate::kind::{Caller, ViolationKind};
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys::tsan;
use crate::tracker::{self, By};

impl Count {
    /// Initialises a tracked count with one reference.
    pub(crate) fn set_tracked(&self) {
        // Relaxed: as in `set`.
        self.stored.store(of(1), Relaxed);
    }

    /// Sets the count to `n` references. Tracked if a tracker is set and wants to track the object. A count that begins
    /// with many references is not tracked: the tracker would be called for each of them.
    #[cfg(feature = "capi")]
    pub(crate) fn begin(&self, n: i32) {
        if tracker::is_set() {
            self.begin_slow(n);
        } else {
            self.set_release(n);
        }
    }

    #[cfg(feature = "capi")]
    #[cold]
    #[inline(never)]
    fn begin_slow(&self, n: i32) {
        const MOST_TOLD: i32 = 1024;
        // The only holder of an object may set its count. For the tracker another object begins.
        if self.is_tracked() {
            tracker::released(self.address(), By::NOBODY);
        }
        if (1..=MOST_TOLD).contains(&n) && tracker::created(self.address(), core::ptr::null()) {
            self.begin_at(of(n));
            tracker::got(self.address(), n - 1, n, core::ptr::null());
            return;
        }
        self.set_release(n);
    }

    /// Whether the count was let go, by its stored value `s`. Then the operation changes nothing, but for what
    /// it has added to the value in the hot path.
    fn is_let_go(&self, s: i32) -> bool {
        let is_let_go = !is_tracked(s) && zone(s) == Zone::LetGo;
        if is_let_go {
            // The object is never released, so the count is still there.
            self.saturate_at(LET_GO_AT);
        }
        is_let_go
    }

    /// Whether the count is tracked. The answer does not change as long as a reference is held.
    #[cfg(feature = "capi")]
    pub(crate) fn is_tracked(&self) -> bool {
        is_tracked(self.stored.load(Relaxed))
    }

    /// The rest of a get. The calling thread has incremented a count that was not alive, or was full. The
    /// caller holds a reference or a lock, so a count without references is misuse.
    #[cold]
    #[inline(never)]
    pub(super) fn inc_slow(&self, holder: *const c_char) -> Result<(), ViolationKind> {
        let now = self.stored.load(Relaxed);
        if self.is_let_go(now) {
            return Ok(());
        }
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_increment(now.wrapping_sub(1))));
        }
        // Where nothing is called before a get, no thread is in flight for long.
        if !tracker::has_getting() {
            return self.count_increment(holder);
        }
        self.take_back(1);
        self.add_held_slow(1, holder)
    }

    /// The rest of a get from `slot`. The reader has incremented a count that was not alive, or was full,
    /// and holds nothing else: only the increment keeps the object alive. So the reference is counted and
    /// the increment is taken back in one step.
    #[cold]
    #[inline(never)]
    pub(crate) fn inc_slow_unheld<T>(&self, slot: *const T) -> Result<(), ViolationKind> {
        tsan::acquire(slot); // the tracker may read the object, as the writer has published it
        let now = self.stored.load(Relaxed);
        if self.is_let_go(now) {
            return Ok(());
        }
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_increment(now.wrapping_sub(1))));
        }
        tracker::getting(self.address());
        self.count_increment(core::ptr::null())
    }

    /// Counts the reference of a get that has incremented a tracked count, and takes the increment back, in one
    /// step.
    fn count_increment(&self, holder: *const c_char) -> Result<(), ViolationKind> {
        let counted = |value| without(more(value, 1)?, 1);
        // Relaxed: the caller already sees the object, by the reference that it holds or by the slot's pointer,
        // whose load was an acquire.
        match self.stored.fetch_update(Relaxed, Relaxed, counted) {
            Ok(before) => {
                let count = counted(before).map_or(1, references);
                tracker::got(self.address(), 1, count, holder);
                Ok(())
            }
            // The count is dead, saturated or full. Or the memory was reused, for an object that is not
            // tracked.
            Err(_) => self.add_held_slow(1, holder),
        }
    }

    /// Takes `n` references. A count of zero is misuse: the caller relied on a reference.
    pub(super) fn add_held_slow(&self, n: i32, holder: *const c_char) -> Result<(), ViolationKind> {
        if self.add_slow(n, holder)? {
            return Ok(());
        }
        Err(self.saturate(misuse_of_get(self.stored.load(Relaxed))))
    }

    /// Takes `n` references. If the count is zero, changes nothing and returns `false`.
    #[cold]
    #[inline(never)]
    pub(super) fn add_slow(&self, n: i32, holder: *const c_char) -> Result<bool, ViolationKind> {
        let Some(new) = self.add_untold(n)? else { return Ok(false) };
        self.tell_gets(n, new, holder);
        Ok(true)
    }

    /// [`add_slow`](Self::add_slow) without the call of the tracker's `got`. Returns the new stored value, or
    /// `None` if the count is zero.
    fn add_untold(&self, n: i32) -> Result<Option<i32>, ViolationKind> {
        let mut called = false;
        let mut old = self.stored.load(Relaxed);
        loop {
            if let Zone::Dead | Zone::NeverInitialised = zone(old) {
                return Ok(None);
            }
            if is_tracked(old) && !called {
                called = true;
                tracker::getting(self.address());
                old = self.stored.load(Relaxed); // the tracker may have taken long
                continue;
            }
            let new = more(old, n);
            let next = new.unwrap_or(SATURATED_AT);
            // Acquire: for the `_acquire` forms, which use this function too. Pairs with the release of
            // `set_release`, and of a put that was not the last.
            match self.stored.compare_exchange_weak(old, next, Acquire, Relaxed) {
                Ok(_) if new.is_none() => return Err(misuse_of_get(old)),
                Ok(_) => {
                    if new == Some(LET_GO_AT) && is_tracked(old) {
                        tracker::let_go(self.address());
                    }
                    return Ok(new);
                }
                Err(now) => old = now,
            }
        }
    }

    /// Calls the tracker's `got` for `n` references, if the count is tracked. `now` is the stored value.
    fn tell_gets(&self, n: i32, now: i32, holder: *const c_char) {
        if is_tracked(now) {
            tracker::got(self.address(), n, references(now), holder);
        }
    }

    /// Takes a reference for a lookup. Returns the new stored value, or `None` if the count is zero. The caller then tells
    /// the tracker of the reference with [`tell_got`](Self::tell_got), unless it gives the reference back at once.
    #[cold]
    #[inline(never)]
    pub(crate) fn get_untold(&self) -> Result<Option<i32>, ViolationKind> {
        self.add_untold(1)
    }

    /// Calls the tracker's `got` for a reference that [`get_untold`](Self::get_untold) has taken, and that stays. `then` is
    /// the value that `get_untold` has returned; `None` if the caller has no such value.
    pub(crate) fn tell_got(&self, then: Option<i32>, holder: *const c_char) {
        let now = self.stored.load(Relaxed);
        // If the count was let go since the get, the tracker is not called any more.
        if is_tracked(now) {
            self.tell_gets(1, then.unwrap_or(now), holder);
        }
    }

    /// Gives back a reference of [`get_untold`](Self::get_untold), unless it is the last. `false` if it is the
    /// last. The tracker does not learn of it.
    pub(crate) fn put_untold(&self) -> bool {
        let left = |s| match less(s, 1) {
            Less::To(new) => Some(new),
            Less::Last | Less::TooFew => None,
        };
        // Relaxed: the lookup has done nothing to the object.
        match self.stored.fetch_update(Relaxed, Relaxed, left) {
            Ok(_) => true,
            Err(now) if less(now, 1) == Less::Last => false,
            Err(_) => self.dec_not_one_from(Caller::UNKNOWN), // reports a misuse by another thread
        }
    }

    /// The rest of a put. The calling thread has decremented a count that was not alive.
    #[cold]
    #[inline(never)]
    pub(crate) fn dec_slow(&self, keep_last: bool, by: By) -> Result<Put, ViolationKind> {
        let now = self.stored.load(Relaxed);
        if self.is_let_go(now) {
            return Ok(Put::Done);
        }
        if !is_tracked(now) {
            return Err(self.saturate(misuse_of_put(now.wrapping_add(1))));
        }
        self.take_back(-1);
        self.sub_slow(1, keep_last, by)
    }

    /// Gives back `n` references. If they are the last and `keep_last` is set, changes nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn sub_slow(&self, n: i32, keep_last: bool, by: By) -> Result<Put, ViolationKind> {
        let mut called = false;
        let mut old = self.stored.load(Relaxed);
        loop {
            let (was_tracked, becomes) = (is_tracked(old), less(old, n));
            if becomes == Less::Last && keep_last {
                if called {
                    self.cancel_putting(n, old, by);
                }
                return Ok(Put::Last);
            }
            if was_tracked && !called && becomes != Less::TooFew {
                called = true;
                tracker::putting(self.address(), n, references(old), by);
                tsan::release(self); // the tracker's accesses to the object happen before the release
                old = self.stored.load(Relaxed); // the tracker may have taken long
                continue;
            }
            let new = match becomes {
                Less::To(new) => new,
                Less::Last => DEAD,
                Less::TooFew => SATURATED_AT,
            };
            // Release: pairs with the acquire load of the last put.
            match self.stored.compare_exchange_weak(old, new, Release, Relaxed) {
                Ok(_) => return self.finish_sub(old, becomes, by),
                Err(now) => old = now,
            }
        }
    }

    /// The end of `sub_slow`, after the exchange of the stored value `old`.
    fn finish_sub(&self, old: i32, becomes: Less, by: By) -> Result<Put, ViolationKind> {
        match (becomes, is_tracked(old)) {
            (Less::TooFew, _) => Err(misuse_of_put(old)),
            (Less::Last, true) => Ok(self.finish_last(by)),
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

    /// [`dec_if_one`](Self::dec_if_one) for a tracked count, whose stored value was `old`.
    #[cold]
    #[inline(never)]
    pub(super) fn dec_if_one_slow(&self, old: i32) -> bool {
        if less(old, 1) != Less::Last {
            return false;
        }
        tracker::putting(self.address(), 1, 1, By::NOBODY);
        // Release: as in `dec_if_one`. `finish_last` acquires.
        match self.stored.compare_exchange(old, DEAD, Release, Relaxed) {
            Ok(_) => self.finish_last(By::NOBODY).is_last(),
            Err(now) => {
                self.cancel_putting(1, now, By::NOBODY);
                false
            }
        }
    }

    /// Calls the tracker's `getting` and `got` after a `putting` of `n` references that stay after all.
    /// The stored value is `s`.
    fn cancel_putting(&self, n: i32, s: i32, by: By) {
        let count = number_line::references(s);
        tracker::getting(self.address());
        tracker::got(self.address(), n, count, by.holder);
    }

    /// Tells the tracker that a reference has another holder now. `from` and `to` are the holders' names, or null.
    pub(crate) fn hand_over(&self, from: *const c_char, to: *const c_char) {
        // Relaxed: the calling thread has the reference, or gives it to the new holder after this call.
        let s = self.stored.load(Relaxed);
        if is_tracked(s) {
            tracker::putting(self.address(), 1, references(s), By { release: None, holder: from });
            self.cancel_putting(1, s, By { release: None, holder: to });
        }
    }

    /// The last put of a tracked count, after the exchange and before the caller runs `release`.
    fn finish_last(&self, by: By) -> Put {
        self.acquire_last();
        tsan::acquire(self);
        tracker::released(self.address(), by);
        Put::LastTracked
    }

    /// Takes back the 1 or -1 that the calling thread has added to a tracked count in the hot path.
    fn take_back(&self, added: i32) {
        // Relaxed: the operation itself follows, with its ordering.
        let _ = self.stored.fetch_update(Relaxed, Relaxed, |value| without(value, added));
    }
}

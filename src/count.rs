//! The saturating counter behind every reference count.
//!
//! # The number line
//!
//! The count is one `i32`. The sign of the value that an atomic operation *returned* says whether
//! anything went wrong, so a hot path has one compare, and the cold path sorts it out:
//!
//! ```text
//!  MIN       0x9000_0000      0xA000_0000      0xB000_0000      0xC000_0000      -1 | 0 |  1 .. MAX
//!  |<- just overflowed ->|<-- reserved ------------->|<- SATURATED, drifting ->|    |dead|<- live ->|
//! ```
//!
//! * live: a get may find `1..=MAX-1`, a put `2..=MAX`; a put that finds 1 was the last.
//! * anything negative is saturated. Whatever goes wrong stores [`SATURATED`], halfway down the
//!   negative half, and the object is never released: a leak instead of a use after free.
//! * between the atomic that went wrong and the store that repairs it, other threads may move the
//!   count by one each. From `MIN` or from `MIN / 2` it takes at least 2^30 such moves to look like
//!   a last reference, and Linux has at most 2^22 threads.
//! * `0xA000_0000..0xB000_0000` is reserved for counts whose every operation is to take the cold
//!   path. Until something uses it, it is saturated like the rest.
//!
//! A get or put on zero cannot be refused by an unconditional add, so until the repair the count
//! reads 1 or -1. Its caller held no reference and the object was already gone for it; nothing here
//! can make that right. It is reported, and every operation after the repair is harmless. The
//! operations that loop over a compare-and-exchange saturate in the exchange itself.
//!
//! # Orderings
//!
//! * **Taking** a reference is relaxed: whoever takes one already holds one, or a lock, and that is
//!   what made the object visible to it.
//! * **Giving back** is a release, so that everything a holder did to the object happens before the
//!   memory is reused; it pairs with the acquire load that only the last put makes. A load and not
//!   a fence, because ThreadSanitizer does not model fences. The load reads a value of the release
//!   sequences of all the earlier decrements, since read-modify-writes continue them.
//! * **`_acquire`** forms acquire when they succeed. They are for memory that is reused while others
//!   may still try to take a reference: they pair with `set_release`, and with the release of a put
//!   that was not the last.
//!
//! tests/orderings.rs weakens each of these in turn and shows the loom model that fails.

use crate::locked::RawLock;
use crate::sync::{
    AtomicI32, Ordering,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::violation::{Violation, report};

/// The largest count. One more saturates.
pub const MAX: i32 = i32::MAX;

/// Where every violation ends, and what stays there: `i32::MIN / 2`.
pub const SATURATED: i32 = i32::MIN / 2;

/// A saturating reference counter: the kernel's `refcount_t`, and C's `struct refcount_struct`.
///
/// Its operations are safe, for it is only a number. What the number stands for is its user's.
#[repr(transparent)]
#[derive(Debug)]
pub struct Count {
    refs: AtomicI32,
}

/// What became of an increment.
pub(crate) enum Get {
    Done,
    /// Nothing was done.
    WasZero,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

/// What became of a decrement.
pub(crate) enum Put {
    Done,
    /// It was the last; where the operation is not to take the last, nothing was done.
    Last,
    /// Saturated where the count was to blame, and not reported yet.
    Failed(Violation),
}

impl Count {
    /// A counter that stands at `n`.
    #[cfg(not(loom))]
    pub const fn new(n: i32) -> Self {
        Self { refs: AtomicI32::new(n) }
    }

    /// A counter that stands at `n`, in a loom model.
    #[cfg(loom)]
    pub fn new(n: i32) -> Self {
        Self { refs: AtomicI32::new(n) }
    }

    /// Sets the count, whatever it was. Relaxed: nobody else may know the object yet.
    #[inline]
    pub fn set(&self, n: i32) {
        self.refs.store(n, Relaxed);
    }

    /// [`set`](Self::set) for memory that is reused while others may still try to take a reference.
    #[inline]
    pub fn set_release(&self, n: i32) {
        // Release: pairs with the acquire forms, which then see the object as it was made anew.
        self.refs.store(n, Release);
    }

    /// The count as it stands; negative when saturated. Relaxed: a number to print, not to act on.
    #[inline]
    pub fn read(&self) -> i32 {
        self.refs.load(Relaxed)
    }

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
        let old = self.refs.fetch_add(1, Relaxed);
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

    /// Makes the count harmless before anybody hears of `kind`. Relaxed: it publishes nothing, and
    /// whoever sees it too late saturates again.
    #[inline(always)]
    fn saturate(&self, kind: Violation) -> Violation {
        self.refs.store(SATURATED, Relaxed);
        kind
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

/// What it means that a put found `old`, less than it was to give back.
fn put_violation(old: i32) -> Violation {
    if old < 0 { Violation::Saturated } else { Violation::PutOnZero }
}

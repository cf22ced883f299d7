//! The saturating counter behind every reference count.
//!
//! `kref.rs` builds on this folder. Only this folder chooses the memory orderings of the count.
//!
//! | file | what it has |
//! |---|---|
//! | [`number_line`] | the zones: what a stored value means |
//! | [`get`], [`put`] | the operations, and their *hot path*: a count that is alive and not full |
//! | [`cold_path`] | the same operations on every other count |
//! | [`misuse`] | which violation an operation reports |
//! | [`tracked`] | the arithmetic of tracked counts |
//!
//! # The number line
//!
//! A count of `v` references is stored as `s = INT_MIN + (v - 1)`:
//!
//! ```text
//!  s:  INT_MIN                            -1 | 0                                              INT_MAX
//!      |<------------- alive --------------->| never       |     | tracked |     | saturated |   | dead |
//!      1 reference            2^31 references| initialised |     |         |     | 0x6000_0000     v = 0
//! ```
//!
//! A count is *alive* if its stored value is negative: it has references, and no tracker counts them. A
//! *tracked* count has references too, but its stored value is positive, so that each of its operations
//! takes the cold path. That path calls the tracker. In the other three zones no references are counted.
//!
//! The sign of the value *before* an operation decides whether the hot path may do the operation alone. Two
//! negative values are special: INT_MIN, where a put gives the last reference back, and -1, where a get is
//! one too many. After a plain `lock inc` or `lock sub` the processor's flags show all this, so the hot
//! path does not need the old value. In C (kref/inline.h; `cold` is the cold path):
//!
//! | s before | `lock incl; jge cold` (get) | `lock subl $1; jns cold; jc cold` (put) |
//! |---|---|---|
//! | INT_MIN: 1 reference | done | cold; the overflow flag says: the last reference |
//! | INT_MIN+1 .. -2: 2 .. INT_MAX references | done | done |
//! | -1: 2^31 references | cold: one reference too many | done |
//! | 0: zero-filled memory, never initialised | cold | cold (carry) |
//! | 1 .. INT_MAX-1: all positive zones but INT_MAX itself | cold | cold |
//! | INT_MAX: dead | cold (the increment overflows) | cold, no overflow |
//!
//! The positive half has four zones. A zone is wider than one value for this reason: a thread on its
//! way from its `inc` or `sub` to the cold path has changed the value by 1. Linux has at most 2^22
//! threads, so the value is less than 2^22 away from where it should be.
//!
//! | zone | first value | last value | meaning |
//! |---|---|---|---|
//! | never initialised | 0 | 2^22 - 1 | zero-filled memory, on which nobody has called `kref_init` |
//! | tracked | 0x2000_0021 | 0x2fff_ffff | a count whose gets and puts call the tracker; see [`tracked`]. Until a tracker is set, such a value counts as saturated |
//! | dead | INT_MAX - 2^22 + 1 | INT_MAX | the last put was made: the object was released, or is being released |
//! | saturated | all others | | 0x6000_0000 after misuse; any other value: memory that holds no count |
//!
//! 0x6000_0000 is 0x3000_0000 above the tracked zone and 0x1fc0_0000 below the dead zone. Both distances
//! are more than 100 times 2^22.
//!
//! # What other threads see of a misuse
//!
//! An unconditional `inc` or `sub` always changes the memory. After a misuse the wrong value stays there
//! until the thread reaches the cold path and stores "saturated". Until this repair:
//!
//! * A get on a dead count has written INT_MIN, which looks like one reference. A put by another thread
//!   would release the object a second time. The kernel's refcount_t has the same window: its wrong get
//!   writes 1.
//! * A put on a dead count has written INT_MAX - 1. This value is in the dead zone too, so every other
//!   operation goes to the cold path.
//! * A get on zero-filled memory has written 1. This value is in the same zone as 0.
//! * A put on zero-filled memory has written -1, which looks like 2^31 references. A put by another
//!   thread succeeds, and a get is an overflow. No put finds the last reference, which is at INT_MIN.
//! * A get at 2^31 references has written 0. A put by another thread writes -1 again, and is reported
//!   as a put on memory that was never initialised. Both threads saturate the count, and nothing is
//!   released.
//! * Each `inc` or `sub` of a saturated count moves the value by 1, and its thread then stores
//!   0x6000_0000 again. To leave the zone, the value would need more than 2^28 steps without such a
//!   store.
//!
//! The operations that loop over a compare-and-exchange have no such window. Each of them changes the
//! value only if the value allows it, or replaces the value by "saturated".
//!
//! # Orderings
//!
//! * **Taking** a reference is relaxed: the caller already holds a reference or a lock, so the caller
//!   already sees the object.
//! * **Giving back** a reference is a release: what a holder did to the object happens before the
//!   object is freed. The last put then makes an acquire load, which pairs with this release.
//!   Read-modify-writes continue a release sequence, so the one load synchronises with every earlier
//!   put. The load is not a fence, because ThreadSanitizer does not model fences.
//! * The **`_acquire`** forms acquire if they succeed. They are for memory that is reused while other
//!   threads may still try to take a reference. The acquire pairs with the release of `set_release`, and
//!   of a put that was not the last.
//!
//! tests/mutants weakens each ordering, and names the loom model that then fails.
//!
//! # Names
//!
//! One operation has several functions:
//!
//! * `inc_from` is `inc` with the caller as an argument. `inc` itself is for Rust code, and finds the
//!   caller by `#[track_caller]`.
//! * `try_inc` does not report a violation, but returns it.
//! * `raise` and `lower` are the one atomic instruction of the hot path. Their caller calls the cold path
//!   where the result asks for it.
//! * `inc_slow` is the cold path of `inc`. It returns a violation.
//! * `inc_cold` calls `inc_slow` and reports the violation.

mod cold_path;
mod get;
mod misuse;
mod number_line;
mod put;
mod tracked;

use core::ptr;

use crate::kind::ViolationKind;
use crate::sys::sync::{
    AtomicI32,
    Ordering::{Acquire, Relaxed, Release},
};
use number_line::{DEAD, Zone, references, stored, zone};

pub use number_line::{MAX, SATURATED};
pub(crate) use put::{Lowered, Put};

/// A saturating reference counter: the kernel's `refcount_t`, and C's `struct refcount_struct`.
///
/// All operations are safe, because a counter alone frees nothing.
#[repr(transparent)]
pub struct Count {
    stored: AtomicI32,
}

impl Count {
    /// A counter of `n` references. 0 is dead; a negative `n` is saturated.
    #[cfg(not(loom))]
    pub const fn new(n: i32) -> Self {
        Self { stored: AtomicI32::new(stored(n)) }
    }

    /// A counter of `n` references, in a loom model.
    #[cfg(loom)]
    pub fn new(n: i32) -> Self {
        Self { stored: AtomicI32::new(stored(n)) }
    }

    /// Sets the count. Relaxed: no other thread can reach the object yet.
    #[inline]
    pub fn set(&self, n: i32) {
        self.stored.store(stored(n), Relaxed);
    }

    /// [`set`](Self::set) for memory that is reused while other threads may still try to take a
    /// reference with an `_acquire` form.
    #[inline]
    pub fn set_release(&self, n: i32) {
        self.begin_at(stored(n));
    }

    /// Begins anew with a stored value.
    #[inline]
    fn begin_at(&self, value: i32) {
        // Release: pairs with the acquire forms. A thread that takes a reference sees the new object, and
        // not what the memory held before.
        self.stored.store(value, Release);
    }

    /// Makes the count dead. Relaxed: no other thread can take a reference.
    #[inline]
    pub(crate) fn set_dead(&self) {
        self.stored.store(DEAD, Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        zone(self.stored.load(Relaxed)) == Zone::Dead
    }

    /// Sets a dead count to one reference, while other threads may try to take one with an `_acquire` form. A count
    /// that is not dead saturates.
    pub(crate) fn publish(&self, tracked: bool) -> Result<(), ViolationKind> {
        if !self.is_dead() {
            return Err(self.saturate(ViolationKind::BadPublish));
        }
        let one = if tracked { tracked::of(1) } else { stored(1) };
        // Release: as in `set_release`.
        self.stored.store(one, Release);
        Ok(())
    }

    /// The number of references; 0 if the count is dead or never initialised; [`SATURATED`] if it is
    /// saturated. Relaxed: other threads may change the count at any time, so the number is for
    /// messages, not for decisions.
    #[inline]
    pub fn read(&self) -> i32 {
        references(self.stored.load(Relaxed))
    }

    /// Whether there is one reference, which the caller holds. Acquire: pairs with the release of every
    /// earlier put, so that the caller may change the object as a release function may.
    #[inline]
    pub fn is_one(&self) -> bool {
        references(self.stored.load(Acquire)) == 1
    }

    /// [`read`](Self::read) for a stored value that C code has loaded already.
    #[cfg(feature = "capi")]
    pub(crate) fn read_stored(stored: i32) -> i32 {
        references(stored)
    }

    /// The address of the count, which is also the address of the kref around it: for the tracker.
    fn address(&self) -> *const core::ffi::c_void {
        ptr::from_ref(self).cast()
    }
}

impl core::fmt::Debug for Count {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Count").field(&self.read()).finish()
    }
}

#[cfg(all(loom, test))]
mod models;

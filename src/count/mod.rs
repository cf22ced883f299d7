//! The saturating counter behind every reference count.
//!
//! `kref.rs`, `percpu/` and `slot.rs` build on this folder. [`number_line`] says what a stored value
//! means. [`get`] and [`put`] are the operations on live counts; [`slow`] has every operation again for
//! counts that are tracked or misused; [`tracked`] is the arithmetic of tracked counts. This folder
//! alone names memory orderings for the count.
//!
//! # The number line
//!
//! A count of `v` references is stored as `s = INT_MIN + (v - 1)`:
//!
//! ```text
//!  s:  INT_MIN                            -1 | 0                                             INT_MAX
//!      |<- 1 reference ... 2^31 references ->| never |...| tracked |.......| saturated |.....| dead |
//!                                              initialised                                     v = 0
//! ```
//!
//! Only the sign of the value *before* an operation decides whether the operation is right. The
//! processor's flags tell this sign after a plain `lock inc` or `lock sub`, so the hot path needs no
//! returned value. C, in kref/inline.h:
//!
//! | s before | `lock incl; jge cold` (get) | `lock subl $1; jns cold; jc cold` (put) |
//! |---|---|---|
//! | INT_MIN: 1 reference | alive | cold, and the overflow flag is set: the last reference |
//! | INT_MIN+1 .. -2: 2 .. INT_MAX references | alive | alive |
//! | -1: 2^31 references | cold: one reference too many | alive |
//! | 0: zero-filled memory, never initialised | cold | cold (carry) |
//! | 1 .. INT_MAX-1: tracked, saturated, or no count | cold | cold |
//! | INT_MAX: dead | cold (the increment overflows) | cold, no overflow |
//!
//! The positive half has four zones. A value may drift inside its zone, because other threads may have
//! added or subtracted 1 and may not have reached the cold path yet. Linux has at most 2^22 threads,
//! so a value drifts by less than 2^22.
//!
//! | zone | from | to | meaning |
//! |---|---|---|---|
//! | never initialised | 0 | 2^22 | nobody called `kref_init` on this zero-filled memory |
//! | tracked | 0x2000_0000 | 0x3000_0000 | a tracker counts; see [`tracked`]. Saturated, until a tracker is set |
//! | dead | INT_MAX - 2^22 | INT_MAX | the last put was here: the object is being released |
//! | saturated | everything else | | misused before (0x6000_0000), or memory that is no count |
//!
//! The zones' distances: 0x6000_0000 is 0x3000_0000 steps above the tracked zone and 0x1fc0_0000 steps
//! below the dead zone. Each is more than 100 times 2^22.
//!
//! # Misuse, and what other threads see of it
//!
//! An unconditional `inc` or `sub` cannot refuse: the wrong value stands in memory until the cold path
//! of the same thread stores "saturated" there.
//!
//! * A get on a dead count writes INT_MIN, which looks like one reference until the repair. A put in
//!   this moment would release the object a second time. The kernel's refcount_t has the same
//!   window, between 0 and 1.
//! * A put on a dead count writes INT_MAX - 1: still dead, so any other operation is cold too.
//! * A get on zero-filled memory writes 1: still not alive.
//! * A put on zero-filled memory writes -1, which looks like 2^31 references until the repair. A put in
//!   this moment passes; a get overflows; no value near -1 is a last reference.
//! * A get at 2^31 references writes 0. In this moment a put writes -1 again and is reported as a put on
//!   memory that was never initialised. Both saturate; nothing is released.
//! * A saturated count is only ever moved by single steps, and each step's cold path stores 0x6000_0000
//!   again. To leave its zone the value would need more than 2^28 steps between two repairs.
//!
//! The operations that loop over a compare-and-exchange store "saturated" in the exchange itself, and
//! have no such window.
//!
//! # Orderings
//!
//! * **Taking** a reference is relaxed: the caller already holds a reference or a lock, so the object
//!   is visible to the caller.
//! * **Giving back** is a release: everything that a holder did to the object happens before the memory
//!   is reused. It pairs with the acquire load that the last put makes. A load, not a fence, because
//!   ThreadSanitizer does not model fences. Read-modify-writes continue a release sequence, so the load
//!   synchronises with every earlier decrement.
//! * **`_acquire`** forms acquire when they succeed. They are for memory that is reused while other
//!   threads may still try to take a reference. They pair with `set_release`, and with the release of a
//!   put that was not the last.
//!
//! tests/orderings.rs weakens each ordering and names the loom model that fails.

mod get;
mod number_line;
mod put;
mod slow;
mod tracked;

use core::ptr;

use crate::kind::Violation;
use crate::sys::sync::{
    AtomicI32,
    Ordering::{Relaxed, Release},
};
use number_line::{SATURATED_AT, references, stored};

pub use number_line::{MAX, SATURATED};
pub(crate) use put::{Lowered, Put};

/// A saturating reference counter: the kernel's `refcount_t`, and C's `struct refcount_struct`.
///
/// Its operations are safe, because a number alone frees nothing.
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

    /// Sets the count. Relaxed: no other thread may know the object yet.
    #[inline]
    pub fn set(&self, n: i32) {
        self.stored.store(stored(n), Relaxed);
    }

    /// [`set`](Self::set) for memory that is reused while other threads may still try to take a
    /// reference.
    #[inline]
    pub fn set_release(&self, n: i32) {
        // Release: pairs with the acquire forms, which then see the object as it was made anew.
        self.stored.store(stored(n), Release);
    }

    /// The number of references; 0 if dead or never initialised; negative if saturated. Relaxed: a
    /// number to print, not to decide by.
    #[inline]
    pub fn read(&self) -> i32 {
        references(self.stored.load(Relaxed))
    }

    /// [`read`](Self::read) of a stored value that C code has loaded.
    #[cfg(feature = "capi")]
    pub(crate) fn read_stored(stored: i32) -> i32 {
        references(stored)
    }

    /// The address of the kref around this count, for a tracker. The count is a kref's first member.
    fn address(&self) -> *const core::ffi::c_void {
        ptr::from_ref(self).cast()
    }

    /// Makes the count harmless before anybody hears of `kind`. Relaxed: the store publishes nothing,
    /// and a thread that misses the store saturates the count itself.
    fn saturate(&self, kind: Violation) -> Violation {
        self.stored.store(SATURATED_AT, Relaxed);
        kind
    }
}

impl core::fmt::Debug for Count {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Count").field(&self.read()).finish()
    }
}

#[cfg(all(loom, test))]
mod models;

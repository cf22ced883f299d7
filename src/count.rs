//! The saturating counter behind every reference count.
//!
//! # The number line
//!
//! The count is one `i32`. The sign of the value that an atomic operation *returned* says whether
//! anything went wrong, so a hot path has one compare, and the cold path sorts it out:
//!
//! ```text
//!  MIN       0x9000_0000      0xA000_0000      0xB000_0000      0xC000_0000      -1 | 0 |  1 .. MAX
//!  |<- just overflowed ->|<-- tracked -------------->|<- SATURATED, drifting ->|    |dead|<- live ->|
//! ```
//!
//! * live: a get may find `1..=MAX-1`, a put `2..=MAX`; a put that finds 1 was the last.
//! * anything negative that is not tracked is saturated. Whatever goes wrong stores [`SATURATED`],
//!   halfway down the negative half, and the object is never released: a leak instead of a use after
//!   free.
//! * between the atomic that went wrong and the store that repairs it, other threads may move the
//!   count by one each. From `MIN` or from `MIN / 2` it takes at least 2^30 such moves to look like
//!   a last reference, and Linux has at most 2^22 threads.
//! * `0xA000_0000..0xB000_0000` is for counts that a tracker is told of: being negative, they take the
//!   cold path with every operation, in code too that was compiled before anybody thought of a
//!   tracker. tracked.rs has their arithmetic. They begin with a `kref_init` while a tracker is set;
//!   in a program without one nothing is there.
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
//! This file and those below it are the only ones that name an ordering for the count.
//! tests/orderings.rs weakens each of these in turn and shows the loom model that fails.

mod get;
mod put;
mod slow;
mod tracked;

use crate::sync::{
    AtomicI32,
    Ordering::{Relaxed, Release},
};
use crate::violation::Violation;

pub(crate) use get::Get;
pub(crate) use put::{Put, Sub};

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
        Self::read_found(self.refs.load(Relaxed))
    }

    /// What a count is read as that stands at `found`.
    #[inline]
    pub(crate) fn read_found(found: i32) -> i32 {
        if found < 0 { slow::read_slow(found) } else { found }
    }

    /// Makes the count harmless before anybody hears of `kind`. Relaxed: it publishes nothing, and
    /// whoever sees it too late saturates again.
    #[inline(always)]
    fn saturate(&self, kind: Violation) -> Violation {
        self.refs.store(SATURATED, Relaxed);
        kind
    }
}

#[cfg(all(loom, test))]
mod models;

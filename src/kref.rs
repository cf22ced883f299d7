//! `Kref`: a count and the rule that the last put releases.

use core::ptr::NonNull;

use crate::count::{Count, Get, Put};
use crate::locked::RawLock;
use crate::violation::report;

/// A reference count to embed in an object: the kernel's and C's `struct kref`.
///
/// Taking a reference is safe: at worst the object leaks. Giving one back is not, since it may be
/// the last. [`Ref`](crate::Ref) and [`Slot`](crate::Slot) are the safe face of both.
#[repr(transparent)]
#[derive(Debug)]
pub struct Kref {
    refcount: Count,
}

impl Kref {
    /// A kref that holds one reference, the creator's.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { refcount: Count::new(1) }
    }

    /// A kref that holds one reference, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { refcount: Count::new(1) }
    }

    /// Starts over with one reference. Nobody else may know the object yet.
    #[inline]
    pub fn init(&self) {
        self.refcount.set(1);
    }

    /// The count as it stands: a number to print, not to act on. Negative when saturated.
    #[inline]
    pub fn read(&self) -> i32 {
        self.refcount.read()
    }

    /// Takes one more reference; the caller holds one already. Relaxed.
    #[inline(always)]
    pub fn get(&self) {
        self.refcount.inc();
    }

    /// Takes a reference unless the object is already being released; `false` if it is. Relaxed.
    ///
    /// The memory must be known to be a kref still: the caller holds the lock, or whatever else
    /// keeps it from being freed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    pub fn get_unless_zero(&self) -> bool {
        self.refcount.inc_not_zero()
    }

    /// [`get`](Self::get) that leaves the report to the caller.
    pub(crate) fn try_get(&self) -> Get {
        self.refcount.try_inc()
    }

    /// [`try_get`](Self::try_get) after an increment that found `old`.
    pub(crate) fn try_get_found(&self, old: i32) -> Get {
        self.refcount.try_inc_found(old)
    }

    /// [`get_unless_zero`](Self::get_unless_zero) that leaves the report to the caller.
    pub(crate) fn try_get_unless_zero(&self) -> Get {
        self.refcount.try_inc_not_zero()
    }

    /// Gives a reference back, and calls `release` if it was the last; says whether it was.
    ///
    /// Release on the decrement, acquire before `release` runs: it sees all that every holder did.
    ///
    /// # Safety
    /// `this` is live, and the caller owns one of its references, which is gone afterwards.
    #[inline(always)]
    pub unsafe fn put(this: NonNull<Self>, release: impl FnOnce(NonNull<Self>)) -> bool {
        // SAFETY: the caller's reference keeps it alive up to the decrement, the last access.
        let put = unsafe { this.as_ref() }.refcount.try_dec();
        Self::finish_put(this, put, release)
    }

    /// [`put`](Self::put) where the last reference goes under `lock`: `release` runs with it held,
    /// and unlocks it. Where it was not the last, the lock is not even touched.
    ///
    /// # Safety
    /// As for [`put`](Self::put); and `lock` outlives the object, or is freed by `release`.
    #[inline(always)]
    pub unsafe fn put_locked<L: RawLock + ?Sized>(
        this: NonNull<Self>,
        lock: &L,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: the caller's reference keeps it alive up to the decrement, the last access.
        let put = unsafe { this.as_ref() }.refcount.try_dec_and_lock(lock);
        Self::finish_put(this, put, release)
    }

    /// Nothing follows the report, so that it is a jump and sees who called the exported function.
    #[inline(always)]
    fn finish_put(this: NonNull<Self>, put: Put, release: impl FnOnce(NonNull<Self>)) -> bool {
        match put {
            Put::Done => false,
            Put::Last => {
                release(this);
                true
            }
            Put::Failed(kind) => report(kind, this.as_ptr(), false),
        }
    }
}

/// The halves of get and put, for kref/inline.h, which makes the atomic operation itself.
#[cfg(feature = "capi")]
impl Kref {
    /// The rest of [`get`](Self::get), after an increment that found `old`, not a live count.
    #[inline(always)]
    pub(crate) fn get_slow(&self, old: i32) {
        self.refcount.inc_found(old);
    }

    /// The decrement of [`put`](Self::put) alone: what it found goes to
    /// [`put_slow`](Self::put_slow) unless it is more than 1.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    #[inline(always)]
    pub(crate) unsafe fn put_fast(this: NonNull<Self>) -> i32 {
        // SAFETY: the caller's reference keeps it alive up to the decrement, the last access.
        unsafe { this.as_ref() }.refcount.lower()
    }

    /// The rest of [`put`](Self::put), after a decrement that found `old`.
    ///
    /// # Safety
    /// As for [`put`](Self::put), but for the decrement.
    #[inline(always)]
    pub(crate) unsafe fn put_slow(
        this: NonNull<Self>,
        old: i32,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: the caller has just lowered the count itself, and found it misused or its own.
        let put = unsafe { this.as_ref() }.refcount.dec_found(old);
        Self::finish_put(this, put, release)
    }
}

impl Default for Kref {
    fn default() -> Self {
        Self::new()
    }
}

//! `Kref`: a count and the rule that the last put releases.

#[cfg(feature = "capi")]
use core::ffi::c_char;
use core::ffi::c_int;
use core::ptr::NonNull;

use crate::count::{Count, Get, Put, Sub};
use crate::locked::RawLock;
use crate::tracker::{self, By};
use crate::violation::{Violation, as_bool, report};

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

    /// Starts over with one reference. Nobody else may know the object yet. While a tracker is set,
    /// it is told, and may want to be told of what happens to the object.
    #[inline]
    pub fn init(&self) {
        if tracker::is_set() {
            self.init_told();
        } else {
            self.refcount.set(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn init_told(&self) {
        if tracker::created(self) {
            self.refcount.set_tracked();
        } else {
            self.refcount.set(1);
        }
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

    /// What an increment means that found `old`, and is all that keeps the object, which it took from
    /// `slot`.
    pub(crate) fn try_get_found<T>(&self, old: i32, slot: *const T) -> Get {
        self.refcount.try_inc_found(old, slot)
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
        // SAFETY: as promised.
        unsafe { Self::put_by(this, By::NOBODY, release) }
    }

    /// [`put`](Self::put) by somebody of whom a tracker is to hear more.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    #[inline(always)]
    pub(crate) unsafe fn put_by(
        this: NonNull<Self>,
        by: By,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: the caller's reference keeps it alive up to the decrement, the last access.
        let old = unsafe { this.as_ref() }.refcount.lower();
        // SAFETY: as promised, and the decrement is made.
        unsafe { Self::put_found(this, old, by, release) }
    }

    /// What a decrement means that found `old`.
    ///
    /// # Safety
    /// As for [`put`](Self::put), but for the decrement.
    #[inline(always)]
    unsafe fn put_found(
        this: NonNull<Self>,
        old: i32,
        by: By,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        match Count::dec_found(old) {
            Sub::Done => false,
            Sub::Last => {
                // SAFETY: the last reference is gone, and nobody has released the object yet.
                let _ = unsafe { this.as_ref() }.refcount.acquire_last();
                release(this);
                true
            }
            // SAFETY: it returns 0 or 1; the rest is promised.
            Sub::Slow => unsafe { as_bool(Self::put_not_live(this, old, by, release)) },
        }
    }

    /// What a decrement means that found `old`, not live. Apart from the rest, which so needs no stack.
    ///
    /// # Safety
    /// As for [`put_found`](Self::put_found).
    #[cold]
    #[inline(never)]
    unsafe fn put_not_live(
        this: NonNull<Self>,
        old: i32,
        by: By,
        release: impl FnOnce(NonNull<Self>),
    ) -> c_int {
        // SAFETY: misused; or tracked, and alive by the caller's reference, which still counts.
        let put = unsafe { this.as_ref() }.refcount.dec_slow(old, false, by);
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
        // SAFETY: as promised.
        unsafe { Self::put_locked_by(this, By::NOBODY, lock, release) }
    }

    /// [`put_locked`](Self::put_locked) by somebody of whom a tracker is to hear more.
    ///
    /// # Safety
    /// As for [`put_locked`](Self::put_locked).
    #[inline(always)]
    pub(crate) unsafe fn put_locked_by<L: RawLock + ?Sized>(
        this: NonNull<Self>,
        by: By,
        lock: &L,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: the caller's reference keeps it alive up to the decrement, the last access.
        match unsafe { this.as_ref() }.refcount.try_dec_and_lock(lock) {
            Ok(false) => false,
            Ok(true) => {
                release(this);
                true
            }
            // SAFETY: it returns 0 or 1; the rest is promised.
            Err(failed) => unsafe {
                as_bool(Self::put_locked_not_live(this, failed, by, lock, release))
            },
        }
    }

    /// [`put_locked`](Self::put_locked) of what is not live, or `failed` already.
    ///
    /// # Safety
    /// As for [`put_locked`](Self::put_locked).
    #[cold]
    #[inline(never)]
    unsafe fn put_locked_not_live<L: RawLock + ?Sized>(
        this: NonNull<Self>,
        failed: Option<Violation>,
        by: By,
        lock: &L,
        release: impl FnOnce(NonNull<Self>),
    ) -> c_int {
        let put = match failed {
            Some(kind) => Put::Failed(kind),
            // SAFETY: misused; or tracked, and alive by the caller's reference.
            None => unsafe { this.as_ref() }.refcount.dec_and_lock_slow(lock, by),
        };
        Self::finish_put(this, put, release)
    }

    /// Nothing follows the report, so that it is a jump and sees who called the exported function.
    #[inline(always)]
    fn finish_put(this: NonNull<Self>, put: Put, release: impl FnOnce(NonNull<Self>)) -> c_int {
        match put {
            Put::Done => 0,
            Put::Last | Put::LastTracked => {
                release(this);
                if let Put::LastTracked = put {
                    tracker::done(this.as_ptr());
                }
                1
            }
            Put::Failed(kind) => report(kind, this.as_ptr(), false).into(),
        }
    }
}

/// The halves of get and put, for kref/inline.h, which makes the atomic operation itself.
#[cfg(feature = "capi")]
impl Kref {
    /// Whether a tracker is told of this object.
    pub(crate) fn is_tracked(&self) -> bool {
        self.refcount.is_tracked()
    }

    /// The increment of [`get`](Self::get) alone: what it found goes to
    /// [`get_slow`](Self::get_slow) if it is an error.
    #[inline(always)]
    pub(crate) fn get_fast(&self) -> Result<(), i32> {
        self.refcount.raise()
    }

    /// The rest of [`get`](Self::get), after an increment that found `old`, not a live count. The
    /// holder's name is for a tracker; null is none.
    #[inline(always)]
    pub(crate) fn get_slow(&self, old: i32, holder: *const c_char) {
        self.refcount.inc_found(old, holder);
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
        by: By,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: as promised.
        unsafe { Self::put_found(this, old, by, release) }
    }
}

impl Default for Kref {
    fn default() -> Self {
        Self::new()
    }
}

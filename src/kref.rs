//! `Kref`: a count, and the rule that the last put releases.

#[cfg(feature = "capi")]
use core::ffi::c_char;
use core::ptr::NonNull;

use crate::count::{Count, Lowered, Put};
use crate::kind::{Caller, Violation};
use crate::report::or_report;
use crate::sys::lock::RawLock;
use crate::tracker::{self, By};

/// A reference count to embed in an object: the kernel's and C's `struct kref`.
///
/// Taking a reference is safe: at worst the object leaks. Giving one back is unsafe, because the
/// reference may be the last. [`Ref`](crate::Ref) and [`Slot`](crate::Slot) make both safe.
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

    /// Starts over with one reference. No other thread may know the object yet. If a tracker is set,
    /// the tracker decides whether it tracks the object.
    #[inline]
    pub fn init(&self) {
        if tracker::is_set() {
            self.init_slow();
        } else {
            self.refcount.set(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn init_slow(&self) {
        if tracker::created(core::ptr::from_ref(self).cast()) {
            self.refcount.set_tracked();
        } else {
            self.refcount.set(1);
        }
    }

    /// The number of references; negative if saturated. A number to print, not to decide by.
    #[inline]
    pub fn read(&self) -> i32 {
        self.refcount.read()
    }

    /// Whether a tracker counts.
    #[cfg(feature = "capi")]
    pub(crate) fn is_tracked(&self) -> bool {
        self.refcount.is_tracked()
    }

    /// Takes one more reference; the caller holds one already. Relaxed.
    #[inline(always)]
    #[track_caller]
    pub fn get(&self) {
        self.refcount.inc();
    }

    /// [`get`](Self::get) without the report.
    #[inline]
    pub(crate) fn try_get(&self) -> Result<(), Violation> {
        self.refcount.try_inc()
    }

    /// The increment of [`get`](Self::get) alone; `false` if [`get_cold`](Self::get_cold) must follow.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) fn raise(&self) -> bool {
        self.refcount.raise()
    }

    /// The rest of [`get`](Self::get) after an increment that was not right as it stood. A tracker
    /// hears the holder's name, which may be null.
    #[cfg(feature = "capi")]
    pub(crate) fn get_cold(&self, holder: *const c_char, caller: Caller) {
        self.refcount.inc_cold(holder, caller);
    }

    /// The rest of a get by a reader of `slot`, who has incremented the count and holds nothing else.
    #[inline]
    pub(crate) fn get_unheld_slow<T>(&self, slot: *const T) -> Result<(), Violation> {
        self.refcount.inc_slow_unheld(slot)
    }

    /// Takes a reference unless the object is already being released; `false` if it is. Relaxed.
    ///
    /// The memory must still be a kref: the caller holds a lock, or something else that keeps the
    /// memory from being freed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    #[track_caller]
    pub fn get_unless_zero(&self) -> bool {
        self.refcount.inc_not_zero()
    }

    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) fn get_unless_zero_from(&self, caller: Caller) -> bool {
        self.refcount.inc_not_zero_from(caller)
    }

    /// [`get_unless_zero`](Self::get_unless_zero) without the report.
    pub(crate) fn try_get_unless_zero(&self) -> Result<bool, Violation> {
        self.refcount.try_inc_not_zero()
    }

    /// Gives a reference back, and calls `release` if the reference was the last; `true` if so.
    ///
    /// Release on the decrement, acquire before `release` runs: `release` sees everything that every
    /// holder did.
    ///
    /// # Safety
    /// `this` is live, and the caller owns one of its references, which is gone afterwards.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn put(this: NonNull<Self>, release: impl FnOnce(NonNull<Self>)) -> bool {
        // SAFETY: as promised.
        unsafe { Self::put_from(this, By::NOBODY, release, Caller::here()) }
    }

    /// [`put`](Self::put) with what a tracker is told.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    #[inline(always)]
    pub(crate) unsafe fn put_from(
        this: NonNull<Self>,
        by: By,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: as promised.
        match unsafe { Self::lower(this) } {
            Lowered::Alive => false,
            // SAFETY: the last reference is gone, and nobody has released the object yet.
            Lowered::Last => unsafe { Self::release_last(this, release) },
            // SAFETY: as promised, and the decrement is made.
            Lowered::NotAlive => unsafe { Self::put_cold(this, by, release, caller) },
        }
    }

    /// The decrement of [`put`](Self::put) alone.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    #[inline(always)]
    pub(crate) unsafe fn lower(this: NonNull<Self>) -> Lowered {
        // SAFETY: the caller's reference keeps the object alive up to the decrement, the last access.
        unsafe { this.as_ref() }.refcount.lower()
    }

    /// The rest of [`put`](Self::put) after [`Lowered::Last`].
    ///
    /// # Safety
    /// The calling thread's decrement found the last reference.
    #[inline(always)]
    pub(crate) unsafe fn release_last(
        this: NonNull<Self>,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: nobody has released the object yet.
        unsafe { this.as_ref() }.refcount.acquire_last();
        release(this);
        true
    }

    /// The rest of [`put`](Self::put) after [`Lowered::NotAlive`]. Apart from the rest, which so needs no
    /// stack frame.
    ///
    /// # Safety
    /// As for [`put`](Self::put), but the decrement is made.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn put_cold(
        this: NonNull<Self>,
        by: By,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: either tracked, and alive by the caller's reference, which still counts; or misused.
        let put = unsafe { this.as_ref() }.refcount.dec_slow(false, by);
        Self::finish_put(this, put, release, caller)
    }

    /// [`put`](Self::put), where the last reference goes under `lock`: `release` runs with the lock held
    /// and unlocks it. A put that is not the last does not touch the lock.
    ///
    /// # Safety
    /// As for [`put`](Self::put); and `lock` outlives the object, or `release` frees it.
    #[inline]
    #[track_caller]
    pub unsafe fn put_locked<L: RawLock + ?Sized>(
        this: NonNull<Self>,
        lock: &L,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: as promised.
        unsafe { Self::put_locked_from(this, By::NOBODY, lock, release, Caller::here()) }
    }

    /// [`put_locked`](Self::put_locked) with what a tracker is told.
    ///
    /// # Safety
    /// As for [`put_locked`](Self::put_locked).
    #[inline]
    pub(crate) unsafe fn put_locked_from<L: RawLock + ?Sized>(
        this: NonNull<Self>,
        by: By,
        lock: &L,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: the caller's reference keeps the object alive up to the decrement, the last access.
        let put = unsafe { this.as_ref() }.refcount.try_dec_and_lock(lock, by);
        Self::finish_put(this, put, release, caller)
    }

    #[inline(always)]
    fn finish_put(
        this: NonNull<Self>,
        put: Result<Put, Violation>,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        let put = or_report(put, this.as_ptr(), Put::Done, caller);
        if put.is_last() {
            release(this);
        }
        if put == Put::LastTracked {
            tracker::done(this.as_ptr().cast());
        }
        put.is_last()
    }
}

impl Default for Kref {
    fn default() -> Self {
        Self::new()
    }
}

//! `Kref`: a count whose last put releases the object.

use core::ffi::c_char;
use core::ptr::{self, NonNull};

use crate::count::{Count, Lowered, Put};
use crate::kind::{Caller, ViolationKind};
use crate::report::or_report;
use crate::sys::lock::RawLock;
use crate::sys::sync::Ordering::{Acquire, Relaxed};
use crate::tracker::{self, By};

/// A reference count to embed in an object: the kernel's and C's `struct kref`.
///
/// Taking a reference is safe: a wrong get can only leak the object. Giving a reference back is unsafe: a
/// wrong put can free an object that is still in use. [`Ref`](crate::Ref) and [`Slot`](crate::Slot) make
/// both safe.
#[repr(transparent)]
#[derive(Debug)]
pub struct Kref {
    refcount: Count,
}

impl Kref {
    /// A kref with one reference, which the creator holds.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { refcount: Count::new(1) }
    }

    /// A kref with one reference, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { refcount: Count::new(1) }
    }

    /// Initialises the kref with one reference. No other thread can reach the object yet. If a tracker is set, it decides
    /// whether the object is tracked.
    #[inline]
    pub fn init(&self) {
        self.init_as(ptr::null());
    }

    /// [`init`](Self::init) with the name of the object's type for the tracker, or null.
    #[inline]
    pub(crate) fn init_as(&self, type_name: *const c_char) {
        if tracker::is_set() {
            self.init_slow(type_name);
        } else {
            self.refcount.set(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn init_slow(&self, type_name: *const c_char) {
        if tracker::created(ptr::from_ref(self).cast(), type_name) {
            self.refcount.set_tracked();
        } else {
            self.refcount.set(1);
        }
    }

    /// Makes the count of an object dead that no thread can find yet.
    pub(crate) fn set_dead(&self) {
        self.refcount.set_dead();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.refcount.is_dead()
    }

    /// One reference on a dead object, which other threads may find from now on. `type_name` is the name of the
    /// object's type for the tracker, or null.
    pub(crate) fn publish(&self, type_name: *const c_char) -> Result<(), ViolationKind> {
        let tracked = tracker::is_set()
            && self.is_dead()
            && tracker::created(ptr::from_ref(self).cast(), type_name);
        self.refcount.publish(tracked)
    }

    /// Takes a reference if the count is alive and not tracked, and has room for one.
    #[inline(always)]
    pub(crate) fn get_alive(&self) -> bool {
        self.refcount.add_alive(1, Relaxed)
    }

    /// The same with acquire ordering.
    #[inline(always)]
    pub(crate) fn get_alive_acquire(&self) -> bool {
        self.refcount.add_alive(1, Acquire)
    }

    /// Takes a reference with acquire ordering. Returns the new stored value, or `None` if the count is zero. The tracker
    /// does not learn of the reference yet. This is for a lookup that holds a lock, or that may have found another object
    /// than the one that it looks for.
    pub(crate) fn get_untold(&self) -> Result<Option<i32>, ViolationKind> {
        self.refcount.get_untold()
    }

    /// Tells the tracker of a reference that [`get_untold`](Self::get_untold) has taken, and that stays. `then` is the value
    /// that `get_untold` has returned; `None` if the caller has no such value. `holder` is the holder's name, or null.
    pub(crate) fn tell_got(&self, then: Option<i32>, holder: *const c_char) {
        self.refcount.tell_got(then, holder);
    }

    /// Gives back a reference of [`get_untold`](Self::get_untold) or [`get_alive_acquire`](Self::get_alive_acquire),
    /// unless it is the last. `false` if it is the last. The tracker is not told that the reference was given back.
    pub(crate) fn put_untold(&self) -> bool {
        self.refcount.put_untold()
    }

    /// An acquire that pairs with the release of each earlier put.
    pub(crate) fn acquire(&self) {
        self.refcount.acquire_last();
    }

    /// Whether the caller holds the only reference. Acquire: the caller sees what earlier holders did to the
    /// object before they gave their references back. So the caller may change an object that is copied on
    /// write.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.refcount.is_one()
    }

    /// The number of references; 0 if the object was released or never initialised;
    /// [`SATURATED`](crate::SATURATED) if the count is saturated. Other threads may change the count at
    /// any time, so the number is for messages, not for decisions.
    #[inline]
    pub fn read(&self) -> i32 {
        self.refcount.read()
    }

    /// Tells the tracker that a reference goes from one holder to another. A name may be null.
    pub(crate) fn hand_over(&self, from: *const c_char, to: *const c_char) {
        self.refcount.hand_over(from, to);
    }

    /// Whether the count is tracked.
    #[cfg(feature = "capi")]
    pub(crate) fn is_tracked(&self) -> bool {
        self.refcount.is_tracked()
    }

    /// Takes one more reference. The caller holds one already. Relaxed.
    #[inline(always)]
    #[track_caller]
    pub fn get(&self) {
        self.refcount.inc();
    }

    /// [`get`](Self::get) without the report.
    #[inline]
    pub(crate) fn try_get(&self) -> Result<(), ViolationKind> {
        self.refcount.try_inc()
    }

    /// Only the increment that [`get`](Self::get) makes. `false`: `get_cold` or `get_unheld_slow` must follow.
    #[inline(always)]
    pub(crate) fn raise(&self) -> bool {
        self.refcount.raise()
    }

    /// The rest of [`get`](Self::get), after an increment of a count that was not alive, or was full.
    /// `holder` is the holder's name for the tracker, or null.
    #[cfg(feature = "capi")]
    pub(crate) fn get_cold(&self, holder: *const c_char, caller: Caller) {
        self.refcount.inc_cold(holder, caller);
    }

    /// The rest of a get from `slot`. The reader has incremented the count and holds nothing else.
    #[inline]
    pub(crate) fn get_unheld_slow<T>(&self, slot: *const T) -> Result<(), ViolationKind> {
        self.refcount.inc_slow_unheld(slot)
    }

    /// Takes a reference unless the object is already being released. `false` if it is. Relaxed.
    ///
    /// The caller holds a lock, or does something else that keeps the object's memory from being freed.
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

    /// Gives a reference back. If it was the last, calls `release` and returns `true`.
    ///
    /// The decrement is a release. Before `release` runs there is an acquire, so `release` sees
    /// everything that the holders did to the object.
    ///
    /// # Safety
    /// The caller holds a reference on `this` and gives it up.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn put(this: NonNull<Self>, release: impl FnOnce(NonNull<Self>)) -> bool {
        // SAFETY: as promised.
        unsafe { Self::put_from(this, By::NOBODY, release, Caller::here()) }
    }

    /// [`put`](Self::put) with the tracker's arguments.
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
            // SAFETY: this thread gave the last reference back, and alone releases the object.
            Lowered::Last => unsafe { Self::release_last(this, release) },
            // SAFETY: as promised, and this thread has decremented the count.
            Lowered::NotAlive => unsafe { Self::put_cold(this, by, release, caller) },
        }
    }

    /// The decrement of [`put`](Self::put) alone.
    ///
    /// # Safety
    /// As for [`put`](Self::put).
    #[inline(always)]
    pub(crate) unsafe fn lower(this: NonNull<Self>) -> Lowered {
        // SAFETY: the caller's reference keeps the object alive until the decrement, which is the last
        // access.
        unsafe { this.as_ref() }.refcount.lower()
    }

    /// The rest of [`put`](Self::put) after [`Lowered::Last`].
    ///
    /// # Safety
    /// The calling thread's decrement has returned [`Lowered::Last`].
    #[inline(always)]
    pub(crate) unsafe fn release_last(
        this: NonNull<Self>,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: this thread alone releases the object, and has not done so yet.
        unsafe { this.as_ref() }.refcount.acquire_last();
        release(this);
        true
    }

    /// The rest of [`put`](Self::put) after [`Lowered::NotAlive`]. A function of its own, so that the
    /// hot path needs no stack frame.
    ///
    /// # Safety
    /// As for [`put`](Self::put), but the calling thread has decremented the count already.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn put_cold(
        this: NonNull<Self>,
        by: By,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: a tracked object is alive, because the cold path has not given the caller's reference
        // back yet. An object that is not tracked was misused, and the caller promised that there was
        // no misuse.
        let put = unsafe { this.as_ref() }.refcount.dec_slow(false, by);
        Self::finish_put(this, put, release, caller)
    }

    /// Gives `n` references back, as [`put`](Self::put) gives one.
    ///
    /// # Safety
    /// The caller holds `n` references on `this` and gives them up.
    #[cfg(feature = "capi")]
    pub(crate) unsafe fn put_many_from(
        this: NonNull<Self>,
        n: i32,
        by: By,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: the caller's references keep the object alive until the subtraction, which is the last
        // access.
        let put = unsafe { this.as_ref() }.refcount.try_sub(n, false, by);
        Self::finish_put(this, put, release, caller)
    }

    /// [`put`](Self::put) that gives the last reference back under `lock`. `release` runs with the lock
    /// held, and unlocks it. A put that is not the last does not touch the lock.
    ///
    /// # Safety
    /// As for [`put`](Self::put). `lock` is valid for as long as the object is. `release` may free the
    /// lock, after it has unlocked it.
    #[inline]
    #[track_caller]
    pub unsafe fn put_locked(
        this: NonNull<Self>,
        lock: &dyn RawLock,
        release: impl FnOnce(NonNull<Self>),
    ) -> bool {
        // SAFETY: as promised.
        unsafe { Self::put_locked_from(this, By::NOBODY, lock, release, Caller::here()) }
    }

    /// [`put_locked`](Self::put_locked) with the tracker's arguments.
    ///
    /// # Safety
    /// As for [`put_locked`](Self::put_locked).
    #[inline]
    pub(crate) unsafe fn put_locked_from(
        this: NonNull<Self>,
        by: By,
        lock: &dyn RawLock,
        release: impl FnOnce(NonNull<Self>),
        caller: Caller,
    ) -> bool {
        // SAFETY: the caller's reference keeps the object alive until the decrement, which is the last
        // access.
        let put = unsafe { this.as_ref() }.refcount.try_dec_and_lock(lock, by);
        Self::finish_put(this, put, release, caller)
    }

    /// The rest of a put after the subtraction. Not inlined: it is in none of the hot paths.
    #[inline(never)]
    fn finish_put(
        this: NonNull<Self>,
        put: Result<Put, ViolationKind>,
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

//! Calls of the tracker for percpu references.
//!
//! A tracked percpu reference stays in atomic mode, so every get and put of it comes to the functions of mod.rs that
//! work on the word. They call the tracker's functions for gets and puts, as those of a tracked kref do
//! (count/cold_path.rs). The initial reference has a holder's name, [`By::INITIAL`].

use core::ffi::{c_char, c_void};
use core::ptr::NonNull;

use super::word::Word;
use super::{Data, PercpuFn, PercpuRef};
use crate::kind::ViolationKind;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys::sync::fence;
use crate::sys::tsan;
use crate::tracker::{self, By, PercpuEvent, ReleaseFn};

/// A flag beside [`ALLOW_REINIT`](super::ALLOW_REINIT): the percpu reference is tracked, and stays in atomic mode.
pub(super) const TRACKED: u32 = 1 << 31;

/// The most references that a tracked percpu reference can have: as many as a tracked kref.
const MOST: usize = 4_000_000;

impl Data {
    pub(super) fn is_tracked(&self) -> bool {
        // Relaxed: set before other threads can reach the percpu reference.
        self.flags.load(Relaxed) & TRACKED != 0
    }
}

impl PercpuRef {
    /// [`new`](Self::new) at `place`, which keeps its address. If a tracker is set, the tracker decides whether the
    /// percpu reference is tracked.
    ///
    /// # Safety
    /// As for [`new`](Self::new). `place` is memory for a percpu reference.
    #[cfg(feature = "capi")]
    pub(crate) unsafe fn init_at(
        place: NonNull<Self>,
        release: PercpuFn,
        flags: u32,
    ) -> Result<(), super::InitError> {
        let new = Self::new_atomic(release, flags)?;
        // SAFETY: as promised. What the memory held is not dropped.
        let new = unsafe {
            place.write(new);
            place.as_ref()
        };
        if let Some(data) = new.data() {
            if tracker::is_set() && new.tell(data, PercpuEvent::Init) {
                data.flags.fetch_or(TRACKED, Relaxed);
                if flags & super::INIT_DEAD == 0 {
                    new.tell_initial(1);
                }
            }
            new.go_percpu(data);
        }
        Ok(())
    }

    /// Takes `n` references by `take`, which returns whether they were taken.
    #[inline(always)]
    pub(super) fn take(
        &self,
        data: &Data,
        n: usize,
        take: impl FnOnce(&Word) -> Result<bool, ViolationKind>,
    ) -> Result<bool, ViolationKind> {
        let tracked = data.is_tracked() && self.tell_getting(data, n);
        let taken = take(&data.word)?;
        if tracked && taken {
            self.tell_got(data, n);
        }
        Ok(taken)
    }

    /// Takes `n` more references on the word. If this returns data, the caller passes them to [`tell_got`](Self::tell_got).
    /// If the caller holds a lock, it unlocks first, because other threads wait for the lock.
    #[inline(never)]
    pub(super) fn get_untold(&self, n: usize) -> Result<Option<&Data>, ViolationKind> {
        let Some(data) = self.data() else { return Err(ViolationKind::GetOnZero) };
        let tracked = data.is_tracked() && self.tell_getting(data, n);
        data.word.get(n)?;
        Ok(tracked.then_some(data))
    }

    /// Calls the tracker's `got` for `n` references that were taken, and that stay.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_got(&self, data: &Data, n: usize) {
        // Acquire: pairs with the release in `tell_if_tracked`. So the tracker learns that the percpu reference is alive
        // again before it learns of this get.
        fence(Acquire);
        tracker::got(self.address(), n as i32, count(data), core::ptr::null());
    }

    /// Whether the tracker learns of the get of `n` references.
    #[cold]
    #[inline(never)]
    fn tell_getting(&self, data: &Data, n: usize) -> bool {
        if n > MOST.saturating_sub(count(data) as usize) {
            if data.flags.fetch_and(!TRACKED, Relaxed) & TRACKED != 0 {
                self.tell(data, PercpuEvent::LetGo);
            }
            return false;
        }
        tracker::getting(self.address());
        true
    }

    /// Calls the tracker's `putting` if the percpu reference is tracked and has `n` references. Returns whether the
    /// calls that follow a `putting` are to be made.
    #[inline(always)]
    pub(super) fn tell_putting(&self, data: &Data, n: usize, holder: *const c_char) -> bool {
        if !data.is_tracked() {
            return false;
        }
        self.tell_tracked_putting(data, n, holder)
    }

    #[cold]
    #[inline(never)]
    fn tell_tracked_putting(&self, data: &Data, n: usize, holder: *const c_char) -> bool {
        let count = count(data);
        let is_right = n <= count as usize;
        if is_right {
            let by = By { release: Some(as_release(data.release)), holder };
            tracker::putting(self.address(), n as i32, count, by);
            tsan::release(self); // the tracker's accesses to the object happen before the release
        }
        is_right
    }

    /// Calls the tracker's `got` for a new initial reference. `count` includes the reference.
    pub(super) fn tell_initial(&self, count: i32) {
        tracker::getting(self.address());
        tracker::got(self.address(), 1, count, By::INITIAL);
    }

    /// Calls the tracker's `percpu`, if the percpu reference is tracked. The calls for the initial reference follow.
    pub(super) fn tell_if_tracked(&self, data: &Data, event: PercpuEvent) {
        if data.is_tracked() {
            self.tell(data, event);
            if event == PercpuEvent::Revive {
                self.tell_initial(count(data) + 1);
                // Release: pairs with the acquire in `take`. The word is resurrected next.
                fence(Release);
            }
        }
    }

    fn tell(&self, data: &Data, event: PercpuEvent) -> bool {
        tracker::percpu(self.address(), event, as_release(data.release))
    }

    fn address(&self) -> *const c_void {
        core::ptr::from_ref(self).cast()
    }
}

/// The last reference is gone, and the release function is called next.
#[cold]
#[inline(never)]
pub(super) fn tell_released(this: NonNull<PercpuRef>, release: PercpuFn, holder: *const c_char) {
    tracker::released(this.as_ptr().cast(), By { release: Some(as_release(release)), holder });
}

/// A put is over. The object may be freed, so `this` is only an address.
#[cold]
#[inline(never)]
pub(super) fn tell_done(this: NonNull<PercpuRef>) {
    tracker::done(this.as_ptr().cast());
}

/// The references of a percpu reference in atomic mode. 0 if the word was misused.
fn count(data: &Data) -> i32 {
    i32::try_from(data.word.count().max(0)).unwrap_or(i32::MAX)
}

/// A release function with the type that the tracker uses.
fn as_release(release: PercpuFn) -> ReleaseFn {
    // SAFETY: the two types differ only in the type that the pointer argument points to.
    unsafe { core::mem::transmute::<PercpuFn, ReleaseFn>(release) }
}

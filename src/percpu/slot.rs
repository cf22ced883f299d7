//! `PercpuRefSlot`: a published percpu reference. Taking a reference costs one addition. slot.rs has the
//! protocol.

use core::ptr::{self, NonNull};

use super::PercpuRef;
use crate::kind::{Caller, Violation};
use crate::report::report;
use crate::rseq::{Area, GAVE_UP};
use crate::slot::{Old, exchange};
use crate::sys::striped::lock_for;
use crate::sys::sync::{AtomicIsize, AtomicPtr, Ordering::Relaxed};

/// One published pointer to a percpu reference: C's `struct percpu_ref_slot`.
#[repr(C)]
#[derive(Debug)]
pub struct PercpuRefSlot {
    percpu: AtomicPtr<PercpuRef>,
    /// The offset of a thread's rseq area. Zero until the first publication, and without sequences.
    rseq: AtomicIsize,
}

impl PercpuRefSlot {
    /// An empty slot.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { percpu: AtomicPtr::new(ptr::null_mut()), rseq: AtomicIsize::new(0) }
    }

    /// An empty slot, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { percpu: AtomicPtr::new(ptr::null_mut()), rseq: AtomicIsize::new(0) }
    }

    /// Makes the slot empty, whatever was in its memory. No other thread may know the slot yet.
    pub fn init(&self) {
        self.percpu.store(ptr::null_mut(), Relaxed);
        self.rseq.store(0, Relaxed);
    }

    /// A new reference on the published object, or `None` if nothing is published.
    ///
    /// The reader sees everything that was done to the object before its publication.
    ///
    /// # Safety
    /// Every percpu reference that was published here was alive at that time, and the slot got a reference
    /// on it.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn get(&self) -> Option<NonNull<PercpuRef>> {
        // SAFETY: as promised.
        unsafe { self.get_from(Caller::here()) }
    }

    /// # Safety
    /// As for [`get`](Self::get).
    #[inline(always)]
    pub(crate) unsafe fn get_from(&self, caller: Caller) -> Option<NonNull<PercpuRef>> {
        // Relaxed: no other data depends on the offset.
        if let Some(area) = Area::kept(self.rseq.load(Relaxed)) {
            // SAFETY: as promised, and `exchange` fences.
            let object = NonNull::new(unsafe { area.take_percpu(&self.percpu) }.object)?;
            if object.addr().get() != GAVE_UP {
                return Some(object);
            }
        }
        // SAFETY: as promised.
        unsafe { self.get_locked(caller) }
    }

    /// # Safety
    /// As for [`get`](Self::get).
    #[cold]
    #[inline(never)]
    unsafe fn get_locked(&self, caller: Caller) -> Option<NonNull<PercpuRef>> {
        let guard = lock_for(ptr::from_ref(&self.percpu).addr());
        // Relaxed: the lock orders the load.
        let percpu = self.percpu.load(Relaxed);
        // SAFETY: the slot's own reference keeps the object alive while the lock is held.
        let got = unsafe { percpu.as_ref() }.map(|percpu| percpu.get_on_word(1));
        drop(guard);
        if let Err(kind) = got? {
            // Without the lock, as in slot.rs. A dead object is nobody's to use.
            report(kind, percpu.cast(), caller);
            if kind == Violation::GetOnZero {
                return None;
            }
        }
        NonNull::new(percpu)
    }

    /// Publishes `next`, or nothing, and returns the reference that was published before.
    ///
    /// The slot takes over the caller's reference on `next`. The caller takes over the slot's reference on
    /// the old one: to kill it, if it is the initial reference, else to put it.
    ///
    /// # Safety
    /// The caller owns a reference on `next` and gives it up.
    #[track_caller]
    pub unsafe fn replace(&self, next: Option<NonNull<PercpuRef>>) -> Option<NonNull<PercpuRef>> {
        // SAFETY: as promised.
        unsafe { self.replace_from(next, Caller::here()) }
    }

    /// # Safety
    /// As for [`replace`](Self::replace).
    pub(crate) unsafe fn replace_from(
        &self,
        next: Option<NonNull<PercpuRef>>,
        caller: Caller,
    ) -> Option<NonNull<PercpuRef>> {
        self.rseq.store(Area::decided().map_or(0, Area::keep), Relaxed);
        match exchange(&self.percpu, next) {
            Old::Fenced(old) => old,
            Old::NotFenced(old) => {
                // SAFETY: the slot's reference keeps the object alive.
                let _ = unsafe { old.as_ref() }.get_on_word(1);
                report(Violation::NotFenced, old.as_ptr().cast(), caller);
                Some(old)
            }
        }
    }
}

impl Default for PercpuRefSlot {
    fn default() -> Self {
        Self::new()
    }
}

//! `PercpuRefSlot`: a published percpu reference, from which anyone may take a reference for the
//! price of an addition. It works as `KrefSlot` does.

use core::ptr::{self, NonNull};

use super::PercpuRef;
use crate::pool::lock_for;
use crate::rseq::{Area, Taken};
use crate::slot::{Old, exchange};
use crate::sync::{AtomicIsize, AtomicPtr, Ordering::Relaxed};
use crate::violation::{Violation, report_here};

/// One published pointer to a percpu reference: C's `struct percpu_ref_slot`.
#[repr(C)]
#[derive(Debug)]
pub struct PercpuRefSlot {
    percpu: AtomicPtr<PercpuRef>,
    /// Where a thread's rseq area is. Zero until something is published, and without sequences.
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

    /// Empties the slot without a look at what is in it. Nobody else may know it yet.
    pub fn init(&self) {
        self.percpu.store(ptr::null_mut(), Relaxed);
        self.rseq.store(0, Relaxed);
    }

    /// A new reference to what is published, or `None` if nothing is.
    ///
    /// Whatever was done to the object before it was published is seen by whoever gets it here.
    ///
    /// # Safety
    /// Everything published here was, and is still, a percpu reference with a reference for the slot.
    #[inline(always)]
    pub unsafe fn get(&self) -> Option<NonNull<PercpuRef>> {
        // Relaxed: the offset is all there is to know.
        if let Some(area) = Area::kept(self.rseq.load(Relaxed)) {
            // SAFETY: as promised, and `exchange` fences.
            match unsafe { area.take_percpu(&self.percpu) } {
                Taken::Raised(percpu, _) => return Some(percpu),
                Taken::Nothing => return None,
                Taken::GaveUp => {}
            }
        }
        // SAFETY: as promised.
        unsafe { self.get_locked() }
    }

    /// # Safety
    /// As for [`get`](Self::get).
    #[cold]
    #[inline(never)]
    unsafe fn get_locked(&self) -> Option<NonNull<PercpuRef>> {
        let guard = lock_for(ptr::from_ref(&self.percpu).addr());
        // Relaxed: the lock orders it.
        let percpu = self.percpu.load(Relaxed);
        // SAFETY: the slot's own reference keeps it alive while the lock is held.
        let got = unsafe { percpu.as_ref() }.map(|percpu| percpu.get_on_word(1));
        drop(guard);
        match got? {
            Ok(()) => NonNull::new(percpu),
            // Told without the lock. At zero the object was released under the slot's feet.
            Err(kind) => {
                let usable = if kind == Violation::GetOnZero { ptr::null_mut() } else { percpu };
                NonNull::new(report_here(kind, percpu.cast(), usable))
            }
        }
    }

    /// Publishes `next` and returns what was published before.
    ///
    /// The slot takes over the caller's reference on `next`, and the caller takes over the slot's
    /// on the old one: to kill it, if that is its initial reference, or else to put it.
    ///
    /// # Safety
    /// The caller owns a reference on `next` and gives it up.
    pub unsafe fn replace(&self, next: Option<NonNull<PercpuRef>>) -> Option<NonNull<PercpuRef>> {
        self.rseq.store(Area::decided().map_or(0, Area::keep), Relaxed);
        match exchange(&self.percpu, next) {
            Old::Ours(old) => old,
            Old::NotFenced(old) => {
                // SAFETY: the slot's reference keeps it alive.
                let _ = unsafe { old.as_ref() }.get_on_word(1);
                let old = old.as_ptr();
                NonNull::new(report_here(Violation::NotFenced, old.cast(), old))
            }
        }
    }
}

impl Default for PercpuRefSlot {
    fn default() -> Self {
        Self::new()
    }
}

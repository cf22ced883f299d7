//! `PercpuRefSlot`: one published pointer to a percpu reference. In percpu mode a get is one addition.
//! slot.rs explains why a get and a replace may run at the same time.

use core::ptr::{self, NonNull};

use super::PercpuRef;
use crate::kind::{Caller, ViolationKind};
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
    /// The offset of a thread's rseq area from its thread pointer. Zero until the first `replace`, and
    /// in a process without sequences.
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

    /// Makes the slot empty, whatever its memory held. No other thread can reach the slot yet.
    pub fn init(&self) {
        self.percpu.store(ptr::null_mut(), Relaxed);
        self.rseq.store(0, Relaxed);
    }

    /// Takes a reference on the published percpu reference. `None` if nothing is published.
    ///
    /// The reader sees everything that was done to the object before it was published.
    ///
    /// # Safety
    /// Every percpu reference in this slot came through [`replace`](Self::replace), which was called as
    /// its own safety section demands.
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
            // SAFETY: as promised; and `exchange` fences before it returns the old percpu reference.
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
        let got = unsafe { percpu.as_ref() }.map(|percpu| percpu.get_untold(1));
        drop(guard);
        let percpu = NonNull::new(percpu)?;
        match got? {
            Ok(None) => {}
            // SAFETY: the reference was taken above.
            Ok(Some(data)) => unsafe { percpu.as_ref() }.tell_got(data, 1),
            Err(kind) => {
                // Report after the lock is released, because a violation handler may use a slot. A dead
                // object was released although the slot held a reference, so the reader must not use it.
                report(kind, percpu.as_ptr().cast(), caller);
                if kind == ViolationKind::GetOnZero {
                    return None;
                }
            }
        }
        Some(percpu)
    }

    /// Publishes `next`, or nothing, and returns the old percpu reference.
    ///
    /// The slot takes over the caller's reference on `next`. The caller takes over the slot's reference
    /// on the old percpu reference, and gives it back: with `kill` if it is the initial reference,
    /// otherwise with a put.
    ///
    /// # Safety
    /// The caller holds a reference on `next` and gives it up.
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
                report(ViolationKind::NotFenced, old.as_ptr().cast(), caller);
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

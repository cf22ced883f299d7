//! `KrefSlot`: one published pointer, from which anyone may take a reference.
//!
//! The slot owns a reference on what it points to. Loading the pointer and raising the count must be
//! one step that no last put splits. Both happen under a lock, as does the exchange in `replace`; a
//! last put can only follow a replace, whose caller then owns the slot's reference.
//!
//! The lock is one of a small fixed pool, chosen by the slot's address, so that a slot is one
//! pointer wide and needs no destruction. The pool is this copy of the library's: two copies in one
//! process, a static and a shared one, do not exclude each other, and must not share a slot.

use core::ptr::{self, NonNull};

use crate::count::Get;
use crate::kref::Kref;
use crate::pool::lock_for;
use crate::sync::{AtomicPtr, Ordering::Relaxed};
use crate::violation::{Violation, report_here};

/// One published pointer to a kref: C's `struct kref_slot`. [`Slot`](crate::Slot) is the safe one.
#[repr(transparent)]
#[derive(Debug)]
pub struct KrefSlot {
    kref: AtomicPtr<Kref>,
}

impl KrefSlot {
    /// An empty slot.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { kref: AtomicPtr::new(ptr::null_mut()) }
    }

    /// An empty slot, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { kref: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Empties the slot without a look at what is in it. Nobody else may know it yet.
    #[inline]
    pub fn init(&self) {
        self.kref.store(ptr::null_mut(), Relaxed);
    }

    /// A new reference to what is published, or `None` if nothing is.
    ///
    /// Whatever was done to the object before it was published is seen by whoever gets it here.
    ///
    /// # Safety
    /// Everything published here was, and is still, a live kref with a reference for the slot.
    #[inline]
    pub unsafe fn get(&self) -> Option<NonNull<Kref>> {
        let guard = lock_for(ptr::from_ref(self).addr());
        // Relaxed: the lock orders it.
        let kref = self.kref.load(Relaxed);
        // SAFETY: the slot's own reference keeps it alive while the lock is held.
        let got = unsafe { kref.as_ref() }.map(Kref::try_get);
        drop(guard);
        match got {
            // Told without the lock: a handler may take its time, or look into a slot. At zero the
            // object was released under the slot's feet, and nobody may have it.
            Some(Get::Failed(kind)) => {
                let usable = if kind == Violation::GetOnZero { ptr::null_mut() } else { kref };
                NonNull::new(report_here(kind, kref.cast(), usable))
            }
            _ => NonNull::new(kref),
        }
    }

    /// Publishes `next` and returns what was published before.
    ///
    /// The slot takes over the caller's reference on `next`, and the caller takes over the slot's
    /// on the old one, to put it.
    ///
    /// # Safety
    /// The caller owns a reference on `next` and gives it up.
    #[inline]
    pub unsafe fn replace(&self, next: Option<NonNull<Kref>>) -> Option<NonNull<Kref>> {
        let guard = lock_for(ptr::from_ref(self).addr());
        let next = next.map_or(ptr::null_mut(), NonNull::as_ptr);
        // Relaxed: the lock orders it.
        let old = self.kref.swap(next, Relaxed);
        drop(guard);
        NonNull::new(old)
    }
}

impl Default for KrefSlot {
    fn default() -> Self {
        Self::new()
    }
}

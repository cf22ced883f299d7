//! `KrefSlot`: one published pointer, from which anyone may take a reference.
//!
//! The slot owns a reference on what it points to. Loading the pointer and raising the count must be
//! one step that no last put splits; a last put can only follow a replace, whose caller then owns the
//! slot's reference. There are two ways to make it one step, and readers of both kinds get along:
//!
//! * a restartable sequence (see rseq.rs): no lock, and the count is the only thing written. The
//!   writer exchanges the pointer, and then fences: after that every sequence that had loaded the
//!   old pointer has raised its count, or starts over and finds the new one.
//! * a lock, for threads that have no rseq. The writer holds it around the exchange.
//!
//! The lock is one of a small fixed pool, chosen by the slot's address, so that a slot is one
//! pointer wide and needs no destruction. The pool is this copy of the library's: two copies in one
//! process, a static and a shared one, do not exclude each other, and must not share a slot.
//!
//! Where the kernel refuses to fence (a filter that came later), a sequence may still be about to
//! raise the old object's count. So that object keeps a reference that is nobody's, and leaks.

use core::ptr::{self, NonNull};

use crate::count::Get;
use crate::kref::Kref;
use crate::pool::lock_for;
use crate::rseq::{Area, Taken, fence};
use crate::sync::{
    AtomicPtr,
    Ordering::{Relaxed, Release},
};
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
        if let Some(area) = Area::known() {
            // SAFETY: as promised, and `exchange` fences.
            match unsafe { area.take(&self.kref) } {
                Taken::Nothing => return None,
                Taken::Raised(kref, old) => {
                    // SAFETY: the reference is taken, or it was too late for that.
                    let got = unsafe { kref.as_ref() }.try_get_found(old, self);
                    return Self::check(kref, got);
                }
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
    unsafe fn get_locked(&self) -> Option<NonNull<Kref>> {
        let guard = lock_for(ptr::from_ref(&self.kref).addr());
        // Relaxed: the lock orders it.
        let kref = self.kref.load(Relaxed);
        // SAFETY: the slot's own reference keeps it alive while the lock is held.
        let got = unsafe { kref.as_ref() }.map(Kref::try_get);
        drop(guard);
        Self::check(NonNull::new(kref)?, got?)
    }

    /// Told without the lock: a handler may take its time, or look into a slot. At zero the object
    /// was released under the slot's feet, and nobody may have it.
    #[inline(always)]
    fn check(kref: NonNull<Kref>, got: Get) -> Option<NonNull<Kref>> {
        let Get::Failed(kind) = got else { return Some(kref) };
        let usable = if kind == Violation::GetOnZero { ptr::null_mut() } else { kref.as_ptr() };
        NonNull::new(report_here(kind, kref.as_ptr().cast(), usable))
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
        match exchange(&self.kref, next) {
            Old::Ours(old) => old,
            Old::NotFenced(old) => {
                // SAFETY: the slot's reference keeps it alive.
                let _ = unsafe { old.as_ref() }.try_get();
                let old = old.as_ptr();
                NonNull::new(report_here(Violation::NotFenced, old.cast(), old))
            }
        }
    }
}

impl Default for KrefSlot {
    fn default() -> Self {
        Self::new()
    }
}

/// What was published before.
pub(crate) enum Old<T> {
    /// No reader has it without a reference.
    Ours(Option<NonNull<T>>),
    /// A sequence may be about to take a reference on it, now or later.
    NotFenced(NonNull<T>),
}

/// Publishes `next`, and waits for every reader that may have seen what was published before.
pub(crate) fn exchange<T>(published: &AtomicPtr<T>, next: Option<NonNull<T>>) -> Old<T> {
    let has_sequences = Area::decided().is_some();
    let guard = lock_for(ptr::from_ref(published).addr());
    let next = next.map_or(ptr::null_mut(), NonNull::as_ptr);
    // Release: a sequence that loads the pointer sees the object; it takes no lock. What is taken
    // down was published under the lock.
    let old = published.swap(next, Release);
    drop(guard);
    match NonNull::new(old) {
        Some(old) if has_sequences && !fence() => Old::NotFenced(old),
        old => Old::Ours(old),
    }
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;

    use super::*;
    use crate::sync::Ordering::Acquire;

    struct Shared {
        slot: KrefSlot,
        kref: Kref,
        payload: UnsafeCell<bool>,
    }

    // SAFETY: loom finds accesses to the cell that nothing orders.
    unsafe impl Sync for Shared {}

    /// What a sequence does, where nothing is ever freed.
    #[test]
    fn a_sequence_sees_what_was_published() {
        loom::model(|| {
            let payload = UnsafeCell::new(false);
            let shared = Arc::new(Shared { slot: KrefSlot::new(), kref: Kref::new(), payload });
            let theirs = Arc::clone(&shared);
            let writer = loom::thread::spawn(move || {
                // SAFETY: loom checks that nobody else is in the payload.
                theirs.payload.with_mut(|payload| unsafe { *payload = true });
                // SAFETY: the object's one reference goes to the slot.
                unsafe { theirs.slot.replace(Some(NonNull::from(&theirs.kref))) };
            });
            // Acquire: what every load is on the processor that has sequences.
            if !shared.slot.kref.load(Acquire).is_null() {
                // SAFETY: loom checks that nobody is writing the payload.
                assert!(shared.payload.with(|payload| unsafe { *payload }));
            }
            writer.join().unwrap();
        });
    }
}

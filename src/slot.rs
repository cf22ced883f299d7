//! `KrefSlot`: one published pointer, from which any thread may take a reference.
//!
//! The slot owns a reference on the object that it publishes. A reader loads the pointer and raises the
//! count. No last put may come between the two. A last put can only follow a replace, whose caller
//! then owns the slot's reference. Two kinds of readers exist, and they get along:
//!
//! * A reader with a restartable sequence (rseq/mod.rs) takes no lock, and writes only the count. The
//!   writer exchanges the pointer and then fences. After the fence every sequence that had loaded the
//!   old pointer has raised the old count, or starts over and finds the new pointer.
//! * A reader on a thread without rseq takes a lock. The writer holds the same lock during the exchange.
//!
//! The lock is one of the striped locks (sys/striped.rs), so a slot is one pointer wide and needs no
//! destruction. These locks belong to one copy of the library. Two copies in one process, a static and a
//! shared one, do not exclude each other and must not share a slot.
//!
//! If the kernel refuses to fence, because of a seccomp filter that came later, a sequence may still
//! be about to raise the old object's count. Then the old object gets a reference that nobody owns, and
//! leaks.

use core::ptr::{self, NonNull};

use crate::kind::{Caller, Violation};
use crate::kref::Kref;
use crate::report::report;
use crate::rseq::{Area, GAVE_UP, fence};
use crate::sys::striped::lock_for;
use crate::sys::sync::{
    AtomicPtr,
    Ordering::{Relaxed, Release},
};

/// One published pointer to a kref: C's `struct kref_slot`. [`Slot`](crate::Slot) is the safe form.
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

    /// Makes the slot empty, whatever was in its memory. No other thread may know the slot yet.
    #[inline]
    pub fn init(&self) {
        self.kref.store(ptr::null_mut(), Relaxed);
    }

    /// A new reference on the published object, or `None` if nothing is published.
    ///
    /// The reader sees everything that was done to the object before its publication.
    ///
    /// # Safety
    /// Every object that was published here was a live kref at that time, and the slot got a reference on
    /// it.
    #[inline]
    #[track_caller]
    pub unsafe fn get(&self) -> Option<NonNull<Kref>> {
        // SAFETY: as promised.
        unsafe { self.get_from(Caller::here()) }
    }

    /// # Safety
    /// As for [`get`](Self::get).
    #[inline]
    pub(crate) unsafe fn get_from(&self, caller: Caller) -> Option<NonNull<Kref>> {
        if let Some(area) = Area::known() {
            // SAFETY: as promised, and `exchange` fences.
            let taken = unsafe { area.take(&self.kref) };
            let object = NonNull::new(taken.object)?;
            if object.addr().get() != GAVE_UP {
                return if taken.not_alive {
                    // SAFETY: the sequence has incremented the count.
                    unsafe { self.get_not_alive(object, caller) }
                } else {
                    Some(object)
                };
            }
        }
        // SAFETY: as promised.
        unsafe { self.get_locked(caller) }
    }

    /// The rest of a get after a sequence has incremented a count that is not alive.
    ///
    /// # Safety
    /// A sequence of this thread took `kref` from this slot, and incremented its count.
    #[cold]
    #[inline(never)]
    unsafe fn get_not_alive(&self, kref: NonNull<Kref>, caller: Caller) -> Option<NonNull<Kref>> {
        // SAFETY: tracked, and kept by the increment; or misused.
        let got = unsafe { kref.as_ref() }.get_unheld_slow(self);
        Self::check(kref, got, caller)
    }

    /// # Safety
    /// As for [`get`](Self::get).
    #[cold]
    #[inline(never)]
    unsafe fn get_locked(&self, caller: Caller) -> Option<NonNull<Kref>> {
        let guard = lock_for(ptr::from_ref(&self.kref).addr());
        // Relaxed: the lock orders the load.
        let kref = self.kref.load(Relaxed);
        // SAFETY: the slot's own reference keeps the object alive while the lock is held.
        let got = unsafe { kref.as_ref() }.map(Kref::try_get);
        drop(guard);
        Self::check(NonNull::new(kref)?, got?, caller)
    }

    /// Reports a violation, without the lock: a handler may look into a slot. The reader may have a
    /// saturated object, which leaks. The reader may not have a dead object: somebody released it although
    /// the slot held a reference.
    #[inline]
    fn check(
        kref: NonNull<Kref>,
        got: Result<(), Violation>,
        caller: Caller,
    ) -> Option<NonNull<Kref>> {
        let Err(kind) = got else { return Some(kref) };
        report(kind, kref.as_ptr().cast(), caller);
        let is_dead = matches!(kind, Violation::GetOnZero | Violation::NeverInitialised);
        (!is_dead).then_some(kref)
    }

    /// Publishes `next`, or nothing, and returns the object that was published before.
    ///
    /// The slot takes over the caller's reference on `next`. The caller takes over the slot's reference on
    /// the old object, and puts it.
    ///
    /// # Safety
    /// The caller owns a reference on `next` and gives it up.
    #[inline]
    #[track_caller]
    pub unsafe fn replace(&self, next: Option<NonNull<Kref>>) -> Option<NonNull<Kref>> {
        // SAFETY: as promised.
        unsafe { self.replace_from(next, Caller::here()) }
    }

    /// # Safety
    /// As for [`replace`](Self::replace).
    pub(crate) unsafe fn replace_from(
        &self,
        next: Option<NonNull<Kref>>,
        caller: Caller,
    ) -> Option<NonNull<Kref>> {
        match exchange(&self.kref, next) {
            Old::Fenced(old) => old,
            Old::NotFenced(old) => {
                // SAFETY: the slot's reference keeps the object alive.
                let _ = unsafe { old.as_ref() }.try_get();
                report(Violation::NotFenced, old.as_ptr().cast(), caller);
                Some(old)
            }
        }
    }
}

impl Default for KrefSlot {
    fn default() -> Self {
        Self::new()
    }
}

/// The pointer that was published before.
pub(crate) enum Old<T> {
    /// Every reader that has seen the pointer has taken a reference.
    Fenced(Option<NonNull<T>>),
    /// A sequence may be about to take a reference, now or later.
    NotFenced(NonNull<T>),
}

/// Publishes `next`, and waits for every reader that may have seen the old pointer.
pub(crate) fn exchange<T>(published: &AtomicPtr<T>, next: Option<NonNull<T>>) -> Old<T> {
    let has_sequences = Area::decided().is_some();
    let guard = lock_for(ptr::from_ref(published).addr());
    let next = next.map_or(ptr::null_mut(), NonNull::as_ptr);
    // Release: pairs with the load of a sequence, which takes no lock. No acquire: the old object was
    // published under this lock.
    let old = published.swap(next, Release);
    drop(guard);
    match NonNull::new(old) {
        Some(old) if has_sequences && !fence() => Old::NotFenced(old),
        old => Old::Fenced(old),
    }
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;

    use super::*;
    use crate::sys::sync::Ordering::Acquire;

    struct Shared {
        slot: KrefSlot,
        kref: Kref,
        payload: UnsafeCell<bool>,
    }

    // SAFETY: loom fails the model at an access to the cell that nothing orders.
    unsafe impl Sync for Shared {}

    /// The load of a sequence, on an object that nobody frees.
    #[test]
    fn a_sequence_sees_what_was_published() {
        loom::model(|| {
            let payload = UnsafeCell::new(false);
            let shared = Arc::new(Shared { slot: KrefSlot::new(), kref: Kref::new(), payload });
            let theirs = Arc::clone(&shared);
            let writer = loom::thread::spawn(move || {
                // SAFETY: loom checks that no other thread is in the payload.
                theirs.payload.with_mut(|payload| unsafe { *payload = true });
                // SAFETY: the object's one reference goes to the slot.
                unsafe { theirs.slot.replace(Some(NonNull::from(&theirs.kref))) };
            });
            // Acquire: every load of the processor that has sequences is one.
            if !shared.slot.kref.load(Acquire).is_null() {
                // SAFETY: loom checks that no other thread writes the payload.
                assert!(shared.payload.with(|payload| unsafe { *payload }));
            }
            writer.join().unwrap();
        });
    }
}

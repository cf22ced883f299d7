//! `KrefSlot`: one published pointer, from which any thread may take a reference.
//!
//! The slot holds a reference on the published object. A reader takes two steps: loads the pointer, and
//! increments the count. Between the two steps the object must not be freed. A writer makes sure of that:
//! `replace` publishes another object and waits for the readers, and only then gives the slot's reference
//! on the old object to the caller. Two kinds of readers may use one slot at the same time:
//!
//! * A reader with a restartable sequence (rseq/mod.rs) takes no lock and writes nothing but the count.
//!   The writer exchanges the pointer and then fences. A sequence that has loaded the old pointer
//!   before the fence has either incremented the old object's count by then, or starts over and loads
//!   the new pointer.
//! * A reader on a thread without rseq takes a lock. The writer exchanges the pointer under the same
//!   lock. If every object of the process is tracked, all readers take the lock (load.rs), unless the
//!   process used sequences before its tracker was loaded.
//!
//! The lock is one of the striped locks (sys/striped.rs). So a slot is one pointer wide, and nothing in
//! it has to be destroyed. Each copy of the library has its own locks. If a process has two copies, a
//! static one and a shared one, a slot must not be used through both.
//!
//! A seccomp filter that is installed later may make the kernel refuse to fence. Then a sequence may
//! still increment the old object's count later. So the slot takes one more reference on the old
//! object, which nobody gives back: the object leaks.

use core::ptr::{self, NonNull};

use crate::kind::{Caller, ViolationKind};
use crate::kref::Kref;
use crate::report::report;
use crate::rseq::{Area, GAVE_UP, fence};
use crate::sys::striped::lock_for;
use crate::sys::sync::{
    AtomicPtr,
    Ordering::{Relaxed, Release},
};
use crate::tracker::By;

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

    /// Makes the slot empty, whatever its memory held. No other thread can reach the slot yet.
    #[inline]
    pub fn init(&self) {
        self.kref.store(ptr::null_mut(), Relaxed);
    }

    /// Takes a reference on the published object. `None` if nothing is published.
    ///
    /// The reader sees everything that was done to the object before it was published.
    ///
    /// # Safety
    /// Every object in this slot came through [`replace`](Self::replace), which was called as its own
    /// safety section demands.
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
            // SAFETY: as promised; and `exchange` fences before it returns the old object.
            let taken = unsafe { area.take(&self.kref) };
            let object = NonNull::new(taken.object)?;
            if object.addr().get() != GAVE_UP {
                return if taken.not_alive {
                    // SAFETY: this thread's sequence has incremented the count of this object.
                    unsafe { self.get_not_alive(object, caller) }
                } else {
                    Some(object)
                };
            }
        }
        // SAFETY: as promised.
        unsafe { self.get_locked(caller) }
    }

    /// The rest of a get, after a count was incremented that was not alive, or was full. No lock is held here, because a
    /// violation handler may use a slot, and because other threads must not wait for the tracker.
    ///
    /// # Safety
    /// This thread loaded `kref` from this slot and incremented its count, in a sequence or under the lock.
    #[cold]
    #[inline(never)]
    unsafe fn get_not_alive(&self, kref: NonNull<Kref>, caller: Caller) -> Option<NonNull<Kref>> {
        // SAFETY: if the count is tracked, this thread's increment keeps the object alive. Otherwise
        // the count was misused, and the caller promised that there was no misuse.
        let got = unsafe { kref.as_ref() }.get_unheld_slow(self);
        let Err(kind) = got else { return Some(kref) };
        report(kind, kref.as_ptr().cast(), caller);
        // A saturated object leaks, so the reader may use it. A dead object was released although the slot held a
        // reference, so the reader must not use it.
        let is_dead = matches!(kind, ViolationKind::GetOnZero | ViolationKind::NeverInitialised);
        (!is_dead).then_some(kref)
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
        let is_alive = unsafe { kref.as_ref() }.map(Kref::raise);
        drop(guard);
        let kref = NonNull::new(kref)?;
        if is_alive? {
            return Some(kref);
        }
        // SAFETY: this thread has loaded `kref` from this slot, and has incremented its count.
        unsafe { self.get_not_alive(kref, caller) }
    }

    /// Publishes `next`, or nothing, and returns the old object.
    ///
    /// The slot takes over the caller's reference on `next`. The caller takes over the slot's reference
    /// on the old object, and must give it back.
    ///
    /// The old object's memory must stay mapped after its release: include/kref/slot.h tells why.
    ///
    /// # Safety
    /// The caller holds a reference on `next` and gives it up.
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
        if let Some(next) = next {
            // SAFETY: the caller's reference keeps the object alive. Other threads may replace it as soon as it is
            // published.
            unsafe { next.as_ref() }.hand_over(ptr::null(), By::SLOT);
        }
        let old = match exchange(&self.kref, next) {
            Old::Fenced(old) => old?,
            Old::NotFenced(old) => {
                // SAFETY: the slot's reference keeps the object alive.
                let _ = unsafe { old.as_ref() }.try_get();
                report(ViolationKind::NotFenced, old.as_ptr().cast(), caller);
                old
            }
        };
        // SAFETY: the caller has the slot's reference now.
        unsafe { old.as_ref() }.hand_over(By::SLOT, ptr::null());
        Some(old)
    }
}

impl Default for KrefSlot {
    fn default() -> Self {
        Self::new()
    }
}

/// The old pointer of a slot.
pub(crate) enum Old<T> {
    /// Every reader that has loaded the pointer has also incremented the count.
    Fenced(Option<NonNull<T>>),
    /// The kernel refused to fence. A sequence that has loaded the pointer may increment the count later.
    NotFenced(NonNull<T>),
}

/// Publishes `next`, and waits for every reader that may have loaded the old pointer.
pub(crate) fn exchange<T>(published: &AtomicPtr<T>, next: Option<NonNull<T>>) -> Old<T> {
    let has_sequences = Area::decided().is_some();
    let guard = lock_for(ptr::from_ref(published).addr());
    let next = next.map_or(ptr::null_mut(), NonNull::as_ptr);
    // Release: pairs with the load of a sequence, which takes no lock. An acquire is not necessary: the
    // old object was published under this lock.
    let old = published.swap(next, Release);
    drop(guard);
    match NonNull::new(old) {
        Some(old) if has_sequences && !fence() => Old::NotFenced(old),
        old => Old::Fenced(old),
    }
}

#[cfg(all(loom, test))]
mod models;

//! A reference by handle, and the references that a lookup leaves to the pool.
//!
//! A lookup never runs a release function. So it may be made in a signal handler, and under any lock. If a lookup
//! has to give a reference back and it is the last one, the lookup *parks* the object: the object stays alive
//! with this reference, in a list of the pool. The next free gives the reference back, or [`KrefPool::drain`].

use core::ffi::c_char;
use core::ptr::{self, NonNull};

use super::entries::{Entry, generation, position};
use super::{KrefPool, RawHandle};
use crate::kind::Caller;
use crate::kref::Kref;
use crate::report::report;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys::tsan;
use crate::tracker::{self, By};

impl KrefPool {
    /// Takes a reference on the object that `handle` names. `None` if the object is gone, or was not published
    /// yet, or if this pool never gave the handle.
    #[inline(always)]
    pub(crate) fn get(&self, handle: RawHandle, caller: Caller) -> Option<NonNull<Kref>> {
        let entry = self.entry_at(position(handle));
        let Some(entry) = entry.filter(|&entry| generation_of(entry) == generation(handle)) else {
            return self.missed(handle);
        };
        let kref = self.kref_of(entry);
        // SAFETY: a pool's memory is valid while the pool lives.
        if !unsafe { kref.as_ref() }.get_alive_acquire() {
            return self.get_cold(entry, handle, caller);
        }
        if generation_of(entry) != generation(handle) {
            return self.give_back(entry, handle);
        }
        Some(kref)
    }

    /// The rest of [`get`](Self::get) for a count that is not alive, or is full.
    #[cold]
    #[inline(never)]
    fn get_cold(
        &self,
        entry: NonNull<Entry>,
        handle: RawHandle,
        caller: Caller,
    ) -> Option<NonNull<Kref>> {
        let kref = self.kref_of(entry);
        // SAFETY: a pool's memory is valid while the pool lives.
        let count = unsafe { kref.as_ref() };
        let got = count.get_untold();
        let is_other = generation_of(entry) != generation(handle);
        match got {
            Ok(Some(_)) if is_other => return self.give_back(entry, handle),
            Ok(then @ Some(_)) => tell(count, then, ptr::null()),
            Err(kind) if !is_other => report(kind, kref.as_ptr().cast(), caller),
            Ok(None) | Err(_) => return self.missed(handle),
        }
        Some(kref)
    }

    /// The end of a lookup that has found nothing.
    #[inline(always)]
    fn missed(&self, handle: RawHandle) -> Option<NonNull<Kref>> {
        if tracker::is_set() {
            self.tell_missed(handle);
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn tell_missed(&self, handle: RawHandle) {
        tracker::missed(ptr::from_ref(self).cast(), handle, self.has_given(handle));
    }

    /// Whether the pool has given this handle. Also true for the handle that a free entry gets next.
    fn has_given(&self, handle: RawHandle) -> bool {
        let (generation, position) = (generation(handle), position(handle));
        let Some(entry) = self.entry_at(position) else { return false };
        if position >= self.fresh.load(Relaxed) || generation == 0 {
            return false;
        }
        let age = |generation: u32| generation.wrapping_sub(self.seed());
        match generation_of(entry) {
            0 => true, // retired: the entry has had every generation
            now => age(generation) <= age(now),
        }
    }

    /// The rest of the inlined lookup of kref/inline.h. `taken` is an object that `handle` does not name, and on
    /// which the inlined lookup has taken a reference: the reference is given back. With `None` nothing was taken,
    /// and the lookup begins again here.
    #[cfg(feature = "capi")]
    pub(crate) fn get_slow(
        &self,
        handle: RawHandle,
        taken: Option<NonNull<Kref>>,
    ) -> Option<NonNull<Kref>> {
        match taken {
            Some(kref) => self.give_back(self.entry_of(kref), handle),
            None => self.get(handle, Caller::UNKNOWN).inspect(|kref| tsan::acquire(kref.as_ptr())),
        }
    }

    /// Takes a reference on the first object at or after `cursor` that is alive, and moves the cursor behind it. A
    /// cursor begins at 0. `None` at the end.
    ///
    /// An object that is published or released meanwhile may be found or not.
    pub(crate) fn next(&self, cursor: &mut u32, caller: Caller) -> Option<NonNull<Kref>> {
        for (index, kref) in self.entries(*cursor) {
            // SAFETY: a pool's memory is valid while the pool lives.
            let count = unsafe { kref.as_ref() };
            if !count.get_alive_acquire() {
                match count.get_untold() {
                    Ok(None) => continue,
                    Ok(then) => tell(count, then, ptr::null()),
                    Err(_) if !self.is_alive(kref) => continue,
                    Err(kind) => report(kind, kref.as_ptr().cast(), caller),
                }
            }
            *cursor = index + 1;
            return Some(kref);
        }
        None
    }

    /// Gives back a reference that a lookup has taken on another object.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(
        &self,
        entry: NonNull<Entry>,
        handle: RawHandle,
    ) -> Option<NonNull<Kref>> {
        let kref = self.kref_of(entry);
        tsan::release(kref.as_ptr());
        // SAFETY: this lookup holds a reference.
        let count = unsafe { kref.as_ref() };
        if !count.put_untold() {
            // Before `park`: after it, another thread may give this reference back.
            tell(count, None, By::PARKED.holder);
            self.park(entry);
        }
        self.missed(handle)
    }

    /// Leaves the caller's reference to the pool.
    fn park(&self, entry: NonNull<Entry>) {
        // The object may have been parked before. `drain` restores the link, and then gives that reference back.
        // SAFETY: the reference keeps the object alive.
        unsafe { self.kref_of(entry).as_ref() }.acquire();
        // SAFETY: as above.
        let link = &unsafe { entry.as_ref() }.link;
        let position = link.load(Relaxed);
        let mut first = self.parked.load(Relaxed);
        loop {
            link.store(first, Relaxed);
            // Release: pairs with the acquire in `drain`.
            match self.parked.compare_exchange_weak(first, position, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// Gives back the references that lookups have parked. May run the release function of each.
    #[inline]
    pub(crate) fn drain(&self) {
        self.drain_by(|kref| self.put(kref));
    }

    /// As [`drain`](Self::drain), but calls `put` to give each reference back.
    #[inline]
    pub(crate) fn drain_by(&self, put: impl Fn(NonNull<Kref>)) {
        if self.parked.load(Relaxed) != 0 {
            self.drain_parked(put);
        }
    }

    #[cold]
    #[inline(never)]
    fn drain_parked(&self, put: impl Fn(NonNull<Kref>)) {
        // Acquire: pairs with the release in `park`. They are one release sequence.
        let mut next = self.parked.swap(0, Acquire);
        while let Some(entry) = self.entry_at(next) {
            // SAFETY: the parked reference keeps the entry in use.
            let link = &unsafe { entry.as_ref() }.link;
            let position = next;
            next = link.load(Relaxed);
            link.store(position, Relaxed);
            put(self.kref_of(entry));
        }
    }

    /// Gives a parked reference back. The last one calls the pool's release function.
    fn put(&self, kref: NonNull<Kref>) {
        let Some(release) = self.layout.release else { return };
        let run = |kref: NonNull<Kref>| {
            tsan::acquire(kref.as_ptr());
            // SAFETY: this was the last reference, and `release` is the pool's.
            unsafe { release(kref.as_ptr().cast()) };
        };
        let by = By { release: Some(release), ..By::PARKED };
        // SAFETY: the caller holds the reference and gives it up.
        unsafe { Kref::put_from(kref, by, run, Caller::UNKNOWN) };
    }
}

/// Tells the tracker of a reference that a lookup has taken. The acquire tells ThreadSanitizer that the tracker may read
/// what the object's creator has written before the publish.
fn tell(count: &Kref, then: Option<i32>, holder: *const c_char) {
    tsan::acquire(count);
    count.tell_got(then, holder);
}

/// Relaxed: the first page of this folder says why.
#[inline(always)]
fn generation_of(entry: NonNull<Entry>) -> u32 {
    // SAFETY: a pool's memory is valid while the pool lives.
    unsafe { entry.as_ref() }.generation.load(Relaxed)
}

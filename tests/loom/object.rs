//! The parts that the models share: two threads, a lock, and an object with a count.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use kref::{Kref, RawLock, lookup_locked};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use loom::thread;

/// Runs `there` in a second thread and `here` in this thread, both on `shared`. The `Arc` is std's.
/// loom does not see std's atomics, so this `Arc` orders nothing.
pub fn race<T, A: 'static, B>(
    shared: &Arc<T>,
    there: impl FnOnce(&T) -> A + 'static,
    here: impl FnOnce(&T) -> B,
) -> (A, B)
where
    T: Send + Sync + 'static,
{
    let theirs = Arc::clone(shared);
    let other = thread::spawn(move || there(&theirs));
    let here = here(shared);
    (other.join().unwrap(), here)
}

/// A lock of loom's atomics, so that loom sees what the lock orders.
pub struct Lock {
    held: AtomicBool,
}

// SAFETY: one thread at a time sets `held`, and acquires the release of the thread before.
unsafe impl RawLock for Lock {
    fn lock(&self) -> Result<(), c_int> {
        while self.held.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            thread::yield_now();
        }
        Ok(())
    }

    unsafe fn unlock(&self) {
        self.held.store(false, Release);
    }
}

/// An object that is never freed, so that a wrong model does not crash but fails. `release` writes the
/// payload, which the holders read: loom finds a release that comes too early.
#[repr(C)]
pub struct Object<C> {
    pub refs: C,
    payload: UnsafeCell<bool>,
    releases: AtomicUsize,
    /// The lock of a table that has one entry: this object.
    pub lock: Lock,
    listed: UnsafeCell<bool>,
}

// SAFETY: loom fails the model if neither the lock nor the count orders two accesses to a cell.
unsafe impl<C: Sync> Sync for Object<C> {}

impl<C> Object<C> {
    pub fn new(refs: C) -> Self {
        Self {
            refs,
            payload: UnsafeCell::new(false),
            releases: AtomicUsize::new(0),
            lock: Lock { held: AtomicBool::new(false) },
            listed: UnsafeCell::new(true),
        }
    }

    pub fn write(&self) {
        // SAFETY: loom checks that no other thread accesses the payload.
        self.payload.with_mut(|payload| unsafe { *payload = true });
    }

    pub fn read(&self) -> bool {
        // SAFETY: loom checks that no other thread writes the payload.
        self.payload.with(|payload| unsafe { *payload })
    }

    pub fn release(&self) {
        self.write();
        self.releases.fetch_add(1, Relaxed);
    }

    pub fn take_out(&self) {
        // SAFETY: loom checks that no other thread accesses the table.
        self.listed.with_mut(|listed| unsafe { *listed = false });
    }

    pub fn is_listed(&self) -> bool {
        // SAFETY: loom checks that no other thread changes the table.
        self.listed.with(|listed| unsafe { *listed })
    }

    pub fn is_listed_under_lock(&self) -> bool {
        self.lock.lock().unwrap();
        let listed = self.is_listed();
        self.unlock();
        listed
    }

    pub fn unlock(&self) {
        // SAFETY: each model locks before it unlocks.
        unsafe { self.lock.unlock() };
    }

    pub fn releases(&self) -> usize {
        self.releases.load(Relaxed)
    }
}

impl Object<Kref> {
    pub fn kref(&self) -> NonNull<Kref> {
        NonNull::from(&self.refs)
    }

    /// The object that contains the kref. The kref is the first member.
    pub fn around<'a>(kref: NonNull<Kref>) -> &'a Self {
        // SAFETY: an object lives to the end of its model.
        unsafe { kref.cast().as_ref() }
    }

    pub fn put(&self) -> bool {
        // SAFETY: the object lives to the end of its model, and the model owns a reference.
        unsafe { Kref::put(self.kref(), |kref| Self::around(kref).release()) }
    }

    pub fn use_and_put(&self) -> bool {
        self.read();
        self.put()
    }

    pub fn put_locked(&self) -> bool {
        let release = |kref| {
            let object = Self::around(kref);
            object.take_out();
            object.release();
            object.unlock();
        };
        // SAFETY: as for `put`, and the lock lives as long as the object.
        unsafe { Kref::put_locked(self.kref(), &self.lock, release) }
    }

    pub fn put_and_then_lock(&self) -> bool {
        let release = |kref| {
            let object = Self::around(kref);
            object.lock.lock().unwrap();
            object.take_out();
            object.unlock();
            object.release();
        };
        // SAFETY: as for `put`.
        unsafe { Kref::put(self.kref(), release) }
    }

    pub fn lookup(&self) -> Option<&Self> {
        let find = || self.is_listed().then(|| self.kref());
        // SAFETY: the object lives to the end of its model.
        unsafe { lookup_locked(&self.lock, find) }.map(Self::around)
    }

    pub fn assert_released_once(&self) {
        assert_eq!((self.refs.read(), self.releases()), (0, 1));
    }
}

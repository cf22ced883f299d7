//! Striped locks: a fixed set of mutexes, chosen by an object's address.
//!
//! An object that rarely needs a lock has no mutex of its own. So the object is small, and nothing in
//! it has to be destroyed. Two objects may share a mutex. There is no deadlock, because no thread takes
//! two mutexes of the set at the same time.

#[cfg(not(loom))]
mod threads {
    use crate::sys::lock::{PthreadMutex, RawLock};

    /// A power of two, because the hash uses the highest bits of a product.
    const LOCKS: usize = 1 << LOCKS_LOG2;
    const LOCKS_LOG2: u32 = 6;

    /// Two cache lines for each mutex, because the processor prefetches cache lines in pairs.
    #[repr(align(128))]
    struct Padded(PthreadMutex);

    static STRIPES: [Padded; LOCKS] = [const { Padded(PthreadMutex::new()) }; LOCKS];

    /// Takes the lock for the object at `address`. The drop of the guard releases the lock.
    #[inline]
    pub(crate) fn lock_for(address: usize) -> Guard {
        // Fibonacci hashing: neighbouring objects mostly get different locks.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - LOCKS_LOG2);
        let lock = &STRIPES[hash as usize % LOCKS].0;
        // Locking a default mutex that nobody destroys cannot fail.
        let _ = lock.lock();
        Guard(lock)
    }

    pub(crate) struct Guard(&'static PthreadMutex);

    impl Drop for Guard {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: `lock_for` took the lock in this thread.
            unsafe { self.0.unlock() };
        }
    }
}

#[cfg(loom)]
mod model {
    use loom::sync::{Mutex, MutexGuard};

    loom::lazy_static! {
        static ref ONE: Mutex<()> = Mutex::new(());
    }

    /// A loom model has one lock for all objects: the worst case of the hash.
    pub(crate) fn lock_for(_address: usize) -> MutexGuard<'static, ()> {
        let lock: &'static Mutex<()> = &ONE;
        lock.lock().unwrap()
    }
}

#[cfg(loom)]
pub(crate) use model::lock_for;
#[cfg(not(loom))]
pub(crate) use threads::lock_for;

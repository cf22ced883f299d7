//! The pool of locks behind the slots.

#[cfg(not(loom))]
mod threads {
    use crate::locked::{PthreadMutex, RawLock};

    /// A power of two: the hash keeps the top bits.
    const LOCKS: usize = 1 << LOCKS_LOG2;
    const LOCKS_LOG2: u32 = 6;

    /// A cache line each, and the neighbour that the prefetcher brings along.
    #[repr(align(128))]
    struct Padded(PthreadMutex);

    static POOL: [Padded; LOCKS] = [const { Padded(PthreadMutex::new()) }; LOCKS];

    /// The lock for what lives at `address`, taken until the guard goes.
    #[inline]
    pub(crate) fn lock_for(address: usize) -> Guard {
        // Fibonacci hashing: neighbouring slots get distant locks.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - LOCKS_LOG2);
        let lock = &POOL[hash as usize % LOCKS].0;
        // A default mutex that is never destroyed cannot fail to lock.
        let _ = lock.lock();
        Guard(lock)
    }

    pub(crate) struct Guard(&'static PthreadMutex);

    impl Drop for Guard {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: taken when the guard was made.
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

    /// In a model there is one lock: the worst hash.
    pub(crate) fn lock_for(_address: usize) -> MutexGuard<'static, ()> {
        let lock: &'static Mutex<()> = &ONE;
        lock.lock().unwrap()
    }
}

#[cfg(loom)]
pub(crate) use model::lock_for;
#[cfg(not(loom))]
pub(crate) use threads::lock_for;

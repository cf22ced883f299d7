//! A lock that may be taken in a signal handler, and across a fork.
//!
//! A thread in the tracker is marked as busy ([`crate::thread`]), so that no handler on it comes here a
//! second time; what is left is to wait for other threads, which the kernel's futex does without
//! allocating and without a thread local.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const WAITED_FOR: u32 = 2;

/// A value under a lock.
pub struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only reached with the lock held, by one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits until the lock is free.
    pub fn lock(&self) -> Held<'_, T> {
        self.take();
        Held { lock: self }
    }

    /// [`lock`](Self::lock) without something to give it back: for a fork, which takes all.
    pub fn take(&self) {
        // Acquire: pairs with the release in `give_back`.
        if self.state.compare_exchange(FREE, TAKEN, Acquire, Relaxed).is_err() {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        let mut state = self.spin();
        if state == FREE {
            // Not marked as waited for, or giving it back would be a system call for nobody.
            // Acquire: pairs with the release in `give_back`.
            match self.state.compare_exchange(FREE, TAKEN, Acquire, Relaxed) {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        // Acquire: pairs with the release in `give_back`.
        while state == WAITED_FOR || self.state.swap(WAITED_FOR, Acquire) != FREE {
            futex(&self.state, libc::FUTEX_WAIT, WAITED_FOR);
            state = self.spin();
        }
    }

    /// Waits for as long as a lock of ours is held, if nobody sleeps already. What it was last.
    fn spin(&self) -> u32 {
        for pause in (1..10).cycle().take(40) {
            let state = self.state.load(Relaxed);
            if state != TAKEN {
                return state;
            }
            // Not to take the line away from the holder, which has its value beside it.
            (0..pause).for_each(|_| std::hint::spin_loop());
        }
        TAKEN
    }

    /// Undoes a [`take`](Self::take) of this thread's.
    pub fn give_back(&self) {
        // Release: pairs with the acquire of whoever is next.
        if self.state.swap(FREE, Release) == WAITED_FOR {
            futex(&self.state, libc::FUTEX_WAKE, 1);
        }
    }
}

fn futex(word: &AtomicU32, operation: i32, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is alive; a wait has no time limit, and a wake ignores the pointer.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            value,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// A lock that is held.
pub struct Held<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: we hold the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we hold the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.lock.give_back();
    }
}

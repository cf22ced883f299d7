//! The locks that a program may use for its table of objects.

use core::cell::UnsafeCell;
use core::ffi::c_int;

/// A lock with separate operations to take it and to release it.
///
/// # Safety
/// Mutual exclusion: from one thread's successful `lock` to its `unlock`, no other thread's `lock`
/// succeeds. Ordering: `unlock` is a release and `lock` is an acquire. What one thread did before its
/// `unlock` happens before what the next thread does after its `lock`.
pub unsafe trait RawLock {
    /// Waits for the lock and takes it. The error is an errno value.
    fn lock(&self) -> Result<(), c_int>;

    /// Releases the lock.
    ///
    /// # Safety
    /// The calling thread holds the lock.
    unsafe fn unlock(&self);
}

/// A `pthread_mutex_t`.
#[repr(transparent)]
pub struct PthreadMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: pthread mutexes are made for use by several threads.
unsafe impl Sync for PthreadMutex {}

impl PthreadMutex {
    /// An unlocked mutex of the default kind.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    /// The C program's mutex.
    ///
    /// # Safety
    /// `mutex` is initialised, and stays so for `'a`.
    pub unsafe fn from_ptr<'a>(mutex: *mut libc::pthread_mutex_t) -> &'a Self {
        // SAFETY: the layouts are the same; the caller promises the rest.
        unsafe { &*mutex.cast() }
    }
}

impl Default for PthreadMutex {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: POSIX promises mutual exclusion, and synchronises memory (XBD 4.12).
unsafe impl RawLock for PthreadMutex {
    fn lock(&self) -> Result<(), c_int> {
        // SAFETY: `new` or the C program has initialised the mutex.
        match unsafe { libc::pthread_mutex_lock(self.0.get()) } {
            0 => Ok(()),
            libc::EOWNERDEAD => {
                // This thread holds the mutex now. Unless the mutex is made consistent first, `unlock`
                // would make it unusable for ever.
                // SAFETY: this thread holds this mutex, which is robust.
                unsafe { libc::pthread_mutex_consistent(self.0.get()) };
                Ok(())
            }
            error => Err(error),
        }
    }

    unsafe fn unlock(&self) {
        // SAFETY: this thread holds the lock, as the caller promises.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

/// A `pthread_spinlock_t`.
#[repr(transparent)]
pub struct PthreadSpin(UnsafeCell<libc::pthread_spinlock_t>);

// SAFETY: pthread spin locks are made for use by several threads.
unsafe impl Sync for PthreadSpin {}

impl PthreadSpin {
    /// The C program's spin lock.
    ///
    /// # Safety
    /// `spin` is initialised, and stays so for `'a`.
    pub unsafe fn from_ptr<'a>(spin: *mut libc::pthread_spinlock_t) -> &'a Self {
        // SAFETY: the layouts are the same; the caller promises the rest.
        unsafe { &*spin.cast_const().cast() }
    }
}

// SAFETY: POSIX promises mutual exclusion, and synchronises memory (XBD 4.12).
unsafe impl RawLock for PthreadSpin {
    fn lock(&self) -> Result<(), c_int> {
        // SAFETY: the C program has initialised the lock.
        match unsafe { libc::pthread_spin_lock(self.0.get()) } {
            0 => Ok(()),
            error => Err(error),
        }
    }

    unsafe fn unlock(&self) {
        // SAFETY: this thread holds the lock, as the caller promises.
        unsafe { libc::pthread_spin_unlock(self.0.get()) };
    }
}

//! Locks around the last put and around a lookup.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::ptr::{self, NonNull};

use crate::count::Get;
use crate::kref::Kref;
use crate::violation::{Violation, report_here};

/// A lock that is taken here and given back there: what a kref needs of one.
///
/// # Safety
/// While one thread is between a `lock` that succeeded and its `unlock`, no other thread's `lock`
/// succeeds; and what the first did happens before what the next does.
pub unsafe trait RawLock {
    /// Waits for the lock and takes it, or says with an error number why that cannot be.
    fn lock(&self) -> Result<(), c_int>;

    /// Gives the lock back.
    ///
    /// # Safety
    /// The calling thread holds it.
    unsafe fn unlock(&self);
}

/// A `pthread_mutex_t`.
#[repr(transparent)]
pub struct PthreadMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a mutex is there to be used by several threads.
unsafe impl Sync for PthreadMutex {}

impl PthreadMutex {
    /// A mutex of the default kind, unlocked.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    /// The C program's mutex.
    ///
    /// # Safety
    /// `mutex` is initialised, and stays so for `'a`.
    pub unsafe fn from_ptr<'a>(mutex: *mut libc::pthread_mutex_t) -> &'a Self {
        // SAFETY: same layout; the caller vouches for the rest.
        unsafe { &*mutex.cast() }
    }
}

impl Default for PthreadMutex {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: POSIX: mutual exclusion, and memory is synchronised (XBD 4.12).
unsafe impl RawLock for PthreadMutex {
    fn lock(&self) -> Result<(), c_int> {
        // SAFETY: initialised, by `new` or by the C program.
        match unsafe { libc::pthread_mutex_lock(self.0.get()) } {
            0 => Ok(()),
            libc::EOWNERDEAD => {
                // Held all the same; left inconsistent, our own unlock would make it useless.
                // SAFETY: a robust mutex that this thread holds.
                unsafe { libc::pthread_mutex_consistent(self.0.get()) };
                Ok(())
            }
            error => Err(error),
        }
    }

    unsafe fn unlock(&self) {
        // SAFETY: held by this thread, as the caller promises.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

/// A `pthread_spinlock_t`.
#[repr(transparent)]
pub struct PthreadSpin(UnsafeCell<libc::pthread_spinlock_t>);

// SAFETY: a spin lock is there to be used by several threads.
unsafe impl Sync for PthreadSpin {}

impl PthreadSpin {
    /// The C program's spin lock.
    ///
    /// # Safety
    /// `spin` is initialised, and stays so for `'a`.
    pub unsafe fn from_ptr<'a>(spin: *mut libc::pthread_spinlock_t) -> &'a Self {
        // SAFETY: same layout; the caller vouches for the rest.
        unsafe { &*spin.cast_const().cast() }
    }
}

// SAFETY: POSIX: mutual exclusion, and memory is synchronised (XBD 4.12).
unsafe impl RawLock for PthreadSpin {
    fn lock(&self) -> Result<(), c_int> {
        // SAFETY: initialised by the C program.
        match unsafe { libc::pthread_spin_lock(self.0.get()) } {
            0 => Ok(()),
            error => Err(error),
        }
    }

    unsafe fn unlock(&self) {
        // SAFETY: held by this thread, as the caller promises.
        unsafe { libc::pthread_spin_unlock(self.0.get()) };
    }
}

/// Rule 3 by lock: finds an object and takes a reference, with no last put between the two.
///
/// `find` runs with `lock` held, and must not unwind: the lock would stay so. An object whose count has reached zero, and that only waits for
/// the lock to be taken out of the table, is as good as not found. `None` too, and reported, if the
/// lock cannot be taken.
///
/// # Safety
/// What `find` returns stays allocated as long as the lock is held.
#[inline]
pub unsafe fn lookup_locked<L: RawLock + ?Sized>(
    lock: &L,
    find: impl FnOnce() -> Option<NonNull<Kref>>,
) -> Option<NonNull<Kref>> {
    if lock.lock().is_err() {
        return NonNull::new(report_here(
            Violation::LockFailed,
            ptr::null(),
            ptr::null_mut::<Kref>(),
        ));
    }
    let found = find();
    // SAFETY: allocated while the lock is held, as the caller promises.
    let taken = found.map(|kref| unsafe { kref.as_ref() }.try_get_unless_zero());
    // SAFETY: taken above.
    unsafe { lock.unlock() };
    match (found, taken) {
        (Some(kref), Some(Get::Done)) => Some(kref),
        // Told without the lock: a handler may take its time, or take the lock.
        (Some(kref), Some(Get::Failed(kind))) => {
            NonNull::new(report_here(kind, kref.as_ptr().cast(), kref.as_ptr()))
        }
        _ => None,
    }
}

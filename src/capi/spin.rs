//! The last put under a spin lock. In a file of its own, because strict C99 has no `pthread_spinlock_t`.

use core::ffi::c_int;

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, releasing};
use crate::tracker::By;
use crate::{Kref, PthreadSpin};

/// cbindgen:postfix=KREF_NONNULL
/// kref_put_mutex() with a spin lock: give a reference back. If it is the last, take the lock first.
/// release() runs with the lock held, and unlocks it.
///
/// Range:    the caller does not hold the lock.
/// Misuse:   if the lock cannot be taken, a violation is reported, and the reference is not given
///           back.
/// Threads:  not in a signal handler.
/// Returns:  1 if this was the last reference and release() has run; otherwise 0, and the lock is
///           not held.
/// Defined:  Linux, kref_put_lock(), which does not report a saturated count; POSIX,
///           pthread_spin_lock().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_lock(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    lock: *mut libc::pthread_spinlock_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it holds a reference on a valid kref, an initialised lock,
    // and that release may be called with the kref.
    unsafe {
        let (lock, by) = (PthreadSpin::from_ptr(lock), By::putting(as_release(release)));
        let kref = kref::as_non_null(kref);
        Kref::put_locked_from(kref, by, lock, releasing(release), call.into())
    }
    .into()
}
edge!(kref_put_lock = at_kref_put_lock, 3);

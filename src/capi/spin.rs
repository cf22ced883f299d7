//! The functions with a spin lock. They have a file of their own, because strict C99 has no
//! `pthread_spinlock_t`.

use core::ffi::c_int;

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, refcount_struct, releasing};
use crate::tracker::By;
use crate::{Kref, PthreadSpin};

/// cbindgen:postfix=KREF_NONNULL
/// kref_put_mutex() with a spin lock: give a reference back. If it is the last, take the lock first.
/// release() runs with the lock held, and unlocks it.
///
/// Range:    one reference, which the caller holds; the caller does not hold the lock.
/// Misuse:   as for kref_put_mutex().
/// Ordering: release; and acquire before release() runs, as in kref_put().
/// Threads:  any. Signal handlers: no.
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

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back. If it is the last, take the spin lock first, and return with the lock
/// held.
///
/// Range:    one reference, which the caller holds; the caller does not hold the lock.
/// Misuse:   at zero, on memory that was never initialised, or saturated: the count saturates, a
///           violation is reported, and 0 is returned. If the lock cannot be taken: a violation is
///           reported, the reference is not given back, and 0 is returned.
/// Ordering: release; if it returns 1, also acquire.
/// Threads:  any. Signal handlers: no.
/// Returns:  1 with the lock held if the count reached zero, otherwise 0 without the lock.
/// Defined:  Linux, refcount_dec_and_lock(), which does not report a saturated count; POSIX,
///           pthread_spin_lock().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_and_lock(
    count: *mut refcount_struct,
    lock: *mut libc::pthread_spinlock_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter and an initialised lock.
    unsafe {
        let lock = PthreadSpin::from_ptr(lock);
        refcount_struct::as_count(count).dec_and_lock_from(lock, call.into())
    }
    .into()
}
edge!(kref_count_dec_and_lock = at_kref_count_dec_and_lock, 2);

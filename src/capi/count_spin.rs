//! The counter with a spin lock. In a file of its own, because strict C99 has no `pthread_spinlock_t`.

use core::ffi::c_int;

use super::edge::{CallSite, edge};
use super::types::refcount_struct;
use crate::PthreadSpin;

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back. If it is the last, take the spin lock first, and return with the lock
/// held.
///
/// Range:    the caller does not hold the lock.
/// Misuse:   0 is returned, without the lock. If the lock cannot be taken, a violation is reported,
///           and the reference is not given back.
/// Threads:  not in a signal handler.
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

//! Locks around the last put and around a lookup.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, or_null, releasing};
use crate::lookup::lookup_locked_from;
use crate::tracker::By;
use crate::{Kref, PthreadMutex};

/// cbindgen:postfix=KREF_NONNULL
/// Give a reference back; only where it may be the last, take the mutex first. For objects that
/// stand in a table: release() runs with the mutex held, takes the object out, unlocks, and frees.
///
/// Range:    one reference, the caller's own; the caller does not hold the mutex.
/// Misuse:   on a count of zero or a saturated count: the count saturates, release is not called,
///           and a violation is reported. If the mutex cannot be taken (a deadlock that an
///           error-checking mutex refuses): reported, and the reference is not given back.
/// Ordering: release; and before release() runs, acquire, as in kref_put().
/// Threads:  any. Signal handlers: no. A robust mutex whose owner died is made consistent.
/// Returns:  1 if this was the last reference and release() has run, otherwise 0, with the mutex
///           not held.
/// Defined:  Linux, kref_put_mutex(); POSIX, pthread_mutex_lock(). Saturation is reported only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_mutex(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    mutex: *mut libc::pthread_mutex_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live kref, its own reference on it, an initialised mutex,
    // and that release may be called with the kref.
    unsafe {
        let (mutex, by) = (PthreadMutex::from_ptr(mutex), By::putting(as_release(release)));
        let kref = kref::as_non_null(kref);
        Kref::put_locked_from(kref, by, mutex, releasing(release), call.into())
    }
    .into()
}
edge!(kref_put_mutex = at_kref_put_mutex, 3);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 2))
/// Look an object up and take a reference, in one step under the mutex: rule 3. Calls find(key)
/// with the mutex held; find() returns the kref of what it found, or NULL, and takes no reference.
///
/// Range:    key is for find() alone and may be NULL; the caller does not hold the mutex. What
///           find() returns is not freed while the mutex is held.
/// Misuse:   an object whose count is zero is on its way out and is not found. A count that is
///           saturated is reported, and the object returned. If the mutex cannot be taken:
///           reported, and NULL is returned.
/// Ordering: that of the mutex: whatever was done to the object under it is seen.
/// Threads:  any. Signal handlers: no.
/// Returns:  the kref, with a reference that is now the caller's to put, or NULL.
/// Defined:  Linux, Documentation/core-api/kref.rst (there it is written out by hand); POSIX,
///           pthread_mutex_lock().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_lookup_mutex(
    mutex: *mut libc::pthread_mutex_t,
    find: unsafe extern "C" fn(key: *mut c_void) -> *mut kref,
    key: *mut c_void,
    call: CallSite,
) -> *mut kref {
    // SAFETY: the C caller guarantees an initialised mutex, and that what find returns stays
    // allocated while it is held.
    or_null(unsafe {
        let find = || NonNull::new(find(key).cast());
        lookup_locked_from(PthreadMutex::from_ptr(mutex), find, call.into())
    })
}
edge!(kref_lookup_mutex = at_kref_lookup_mutex, 3);

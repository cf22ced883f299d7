//! Locks around the last put and around a lookup.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, or_null, releasing};
use crate::lookup::lookup_locked_from;
use crate::tracker::By;
use crate::{Kref, PthreadMutex};

/// cbindgen:postfix=KREF_NONNULL
/// Give a reference back. If it is the last, take the mutex first. For objects in a table: release() runs
/// with the mutex held, takes the object out of the table, unlocks the mutex and frees the object. A
/// put that is not the last does not touch the mutex.
///
/// Range:    the caller does not hold the mutex.
/// Misuse:   if the mutex cannot be taken (an error-checking mutex refuses a deadlock), a
///           violation is reported, and the reference is not given back.
/// Threads:  not in a signal handler. If the owner of a robust mutex has died, the mutex is made
///           consistent.
/// Returns:  1 if this was the last reference and release() has run; otherwise 0, and the mutex is
///           not held.
/// Defined:  Linux, kref_put_mutex(), which does not report a saturated count; POSIX,
///           pthread_mutex_lock().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_mutex(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    mutex: *mut libc::pthread_mutex_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it holds a reference on a valid kref, an initialised mutex,
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
/// Look an object up and take a reference on it, in one step under the mutex: rule 3. Calls
/// find(key) with the mutex held. find() returns the kref of the object that it has found, or NULL.
/// find() takes no reference itself.
///
/// Range:    key is passed to find() and may be NULL; the caller does not hold the mutex. The object
///           that find() returns is not freed while the mutex is held.
/// Misuse:   an object whose count is zero is being released, so NULL is returned; this is no
///           violation. If the count is saturated, a violation is reported, and the kref is
///           returned. If the mutex cannot be taken, a violation is reported, and NULL is returned.
/// Ordering: that of the mutex: the caller sees what was done to the object under the mutex.
/// Threads:  not in a signal handler.
/// Returns:  the kref, with a reference that the caller holds now and must give back; or NULL.
/// Defined:  Linux, Documentation/core-api/kref.rst (as an example to copy); POSIX,
///           pthread_mutex_lock().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_lookup_mutex(
    mutex: *mut libc::pthread_mutex_t,
    find: unsafe extern "C" fn(key: *mut c_void) -> *mut kref,
    key: *mut c_void,
    call: CallSite,
) -> *mut kref {
    // SAFETY: the C caller guarantees an initialised mutex, and that the object from find is not freed
    // while the mutex is held.
    or_null(unsafe {
        let find = || NonNull::new(find(key).cast());
        lookup_locked_from(PthreadMutex::from_ptr(mutex), find, call.into())
    })
}
edge!(kref_lookup_mutex = at_kref_lookup_mutex, 3);

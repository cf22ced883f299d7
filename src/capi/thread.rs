//! Rule 1 in one call.

use core::ffi::{c_int, c_void};

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, releasing};
use crate::thread::{Start, create};
use crate::tracker::By;

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 3, 5, 6))
/// Hand a reference to a new thread: take it, start the thread, and give it back if that failed.
/// Rule 1 in one call. The thread puts the reference when it is done.
///
/// Range:    thread, attr, start and arg are pthread_create()'s; attr and arg may be NULL. The
///           caller holds a reference on kref, which stays the caller's. release is for the put if
///           the thread cannot be started.
/// Misuse:   as for kref_get(); the thread is started all the same.
/// Ordering: that of pthread_create(): the thread sees what the caller did before.
/// Threads:  any. Signal handlers: no.
/// Returns:  0, or pthread_create()'s error number (EAGAIN, EINVAL, EPERM); then no thread was
///           started, and the caller's reference is still the caller's.
/// Defined:  POSIX, pthread_create().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_thread_create(
    thread: *mut libc::pthread_t,
    attr: *const libc::pthread_attr_t,
    start: extern "C" fn(arg: *mut c_void) -> *mut c_void,
    arg: *mut c_void,
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live kref, its own reference on it, that release may be
    // called with it, and arguments for pthread_create.
    unsafe {
        let by = By::putting(as_release(release));
        let (start, kref) = (Start { thread, attr, start, arg }, kref::as_non_null(kref));
        create(start, kref, by, releasing(release), call.into())
    }
}
edge!(kref_thread_create = at_kref_thread_create, 6);

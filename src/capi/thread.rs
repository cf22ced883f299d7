//! Rule 1 in one call: a reference for a new thread.

use core::ffi::{c_int, c_void};

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, releasing};
use crate::thread::{Start, create};
use crate::tracker::By;

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 3, 5, 6))
/// Take a reference for a new thread, and start the thread: rule 1 in one call. If the start fails,
/// give the reference back. The thread calls kref_put() when it is done.
///
/// Range:    thread, attr, start and arg are for pthread_create(); attr and arg may be NULL. The
///           caller keeps its own reference. release is called if the start fails and the reference
///           that is given back is the last.
/// Misuse:   the violation is reported, and the thread is started nevertheless.
/// Ordering: that of pthread_create(): the thread sees what the caller did before.
/// Threads:  not in a signal handler.
/// Returns:  0, or the error number of pthread_create() (EAGAIN, EINVAL, EPERM). After an error no
///           thread was started, and the caller still holds its reference.
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
    // SAFETY: the C caller guarantees that it holds a reference on a valid kref, that release may be
    // called with the kref, and that the other arguments are right for pthread_create.
    unsafe {
        let by = By::putting(as_release(release));
        let (start, kref) = (Start { thread, attr, start, arg }, kref::as_non_null(kref));
        create(start, kref, by, releasing(release), call.into())
    }
}
edge!(kref_thread_create = at_kref_thread_create, 6);

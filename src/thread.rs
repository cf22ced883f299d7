//! Rule 1 in one call: a reference for a new thread.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use crate::kind::Caller;
use crate::kref::Kref;
use crate::report::report;
use crate::tracker::By;

/// The arguments of `pthread_create`.
pub(crate) struct Start {
    pub(crate) thread: *mut libc::pthread_t,
    pub(crate) attr: *const libc::pthread_attr_t,
    pub(crate) start: extern "C" fn(*mut c_void) -> *mut c_void,
    pub(crate) arg: *mut c_void,
}

/// Takes a reference for the new thread and starts the thread. If the start fails, gives the reference
/// back. Returns the result of `pthread_create`.
///
/// # Safety
/// As for [`Kref::put`], and as for `pthread_create`.
pub(crate) unsafe fn create(
    start: Start,
    kref: NonNull<Kref>,
    by: By,
    release: impl FnOnce(NonNull<Kref>),
    caller: Caller,
) -> c_int {
    let Start { thread, attr, start, arg } = start;
    // SAFETY: the caller's own reference keeps the object alive.
    let taken = unsafe { kref.as_ref() }.try_get();
    // SAFETY: the caller promises valid arguments.
    let error = unsafe { libc::pthread_create(thread, attr, start, arg) };
    match taken {
        // The count is saturated: there is no reference to give back.
        Err(kind) => report(kind, kref.as_ptr().cast(), caller),
        Ok(()) if error == 0 => {}
        Ok(()) => {
            // SAFETY: the reference was taken above, and no thread has started that would give it back.
            unsafe { Kref::put_from(kref, by, release, caller) };
        }
    }
    error
}

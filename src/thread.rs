//! Rule 1 in one call: a reference for a new thread.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use crate::count::Get;
use crate::kref::Kref;
use crate::tracker::By;
use crate::violation::report_here;

/// Takes a reference for the thread, starts it, and gives the reference back if that failed.
///
/// # Safety
/// As for [`Kref::put`], and as for `pthread_create`.
#[inline]
pub(crate) unsafe fn create(
    thread: *mut libc::pthread_t,
    attr: *const libc::pthread_attr_t,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    arg: *mut c_void,
    kref: NonNull<Kref>,
    by: By,
    release: impl FnOnce(NonNull<Kref>),
) -> c_int {
    // SAFETY: the caller's own reference keeps it alive.
    let get = unsafe { kref.as_ref() }.try_get();
    // SAFETY: the caller guarantees the arguments.
    let error = unsafe { libc::pthread_create(thread, attr, start, arg) };
    match get {
        // Told last, as a jump. The count is saturated: there is nothing to give back.
        Get::Failed(kind) => report_here(kind, kref.as_ptr().cast(), error),
        _ if error == 0 => 0,
        _ => {
            // SAFETY: the reference was taken above, and nobody else has it.
            unsafe { Kref::put_by(kref, by, release) };
            error
        }
    }
}

//! The calling thread's `errno`.

use core::ffi::c_int;

pub(crate) fn get() -> c_int {
    // SAFETY: every thread has an errno.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set(errno: c_int) {
    // SAFETY: every thread has an errno.
    unsafe { *libc::__errno_location() = errno }
}

/// Runs `work`, and then sets `errno` to its value from before.
#[inline(always)]
pub(crate) fn preserved<T>(work: impl FnOnce() -> T) -> T {
    let saved = get();
    let result = work();
    set(saved);
    result
}

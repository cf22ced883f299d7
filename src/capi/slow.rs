//! The cold halves of the functions that kref/inline.h gives the compiler to inline.

use core::ffi::{c_char, c_int, c_uint};
use core::ptr;

use super::types::{as_release, kref, releasing};
use crate::tracker::By;
use crate::{Count, Kref};

/// cbindgen:postfix=KREF_COLD
/// The rest of kref_read(), for code that has read the count itself and found it negative.
///
/// Range:    any count.
/// Misuse:   none that can be seen.
/// Ordering: none.
/// Threads:  any. Signal handlers: yes.
/// Returns:  the number of references, if the count is tracked; otherwise found itself.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn kref_read_slow(found: c_int) -> c_uint {
    Count::read_found(found) as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Whether a tracker is told of this object. For kref/tsan.h.
///
/// Range:    the caller holds a reference.
/// Misuse:   none that can be seen.
/// Ordering: relaxed.
/// Threads:  any; it stays as it is as long as the object lives. Signal handlers: yes.
/// Returns:  1 or 0.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_is_tracked(kref: *const kref) -> c_int {
    // SAFETY: the C caller guarantees a live kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.is_tracked().into()
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// The rest of kref_get(), for code that has raised the count itself and found old.
///
/// Range:    what an increment found that was zero, INT_MAX or negative.
/// Misuse:   unless the count is tracked: it saturates, and a violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_get_slow(kref: *mut kref, old: c_int) {
    // SAFETY: the C caller guarantees a live kref.
    unsafe { kref::as_kref(kref) }.get_slow(old, ptr::null());
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1)) KREF_COLD
/// The rest of kref_get_as(), for code that has raised the count itself and found old.
///
/// Range:    as for kref_get_slow(); holder may be NULL.
/// Misuse:   as for kref_get_slow().
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_get_as_slow(kref: *mut kref, holder: *const c_char, old: c_int) {
    // SAFETY: the C caller guarantees a live kref.
    unsafe { kref::as_kref(kref) }.get_slow(old, holder);
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// kref_get_unless_zero() again, for code that has found a count which is not live.
///
/// Range:    any count.
/// Misuse:   as for kref_get_unless_zero().
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 with a reference taken, 0 without.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_get_unless_zero_slow(kref: *mut kref) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a kref.
    unsafe { kref::as_kref(kref) }.get_unless_zero().into()
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// The rest of kref_put(), for code that has lowered the count itself and found old, at most 1.
///
/// Range:    what a decrement with release ordering found.
/// Misuse:   old was zero, or negative and not tracked: the count saturates, release is not called,
///           and a violation is reported.
/// Ordering: acquire before release() runs.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  1 if it was the last reference, and release() has run; otherwise 0.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_put_slow(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    old: c_int,
) -> c_int {
    // SAFETY: the C caller guarantees a kref that it has just put, and that release may be called
    // with it.
    unsafe {
        let by = By::putting(as_release(release));
        Kref::put_slow(kref::as_non_null(kref), old, by, releasing(release))
    }
    .into()
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 2)) KREF_COLD
/// The rest of kref_put_as(), for code that has lowered the count itself and found old, at most 1.
///
/// Range:    as for kref_put_slow(); holder may be NULL.
/// Misuse:   as for kref_put_slow().
/// Ordering: acquire before release() runs.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  1 if it was the last reference, and release() has run; otherwise 0.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_put_as_slow(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    holder: *const c_char,
    old: c_int,
) -> c_int {
    // SAFETY: the C caller guarantees a kref that it has just put, and that release may be called
    // with it.
    unsafe {
        let by = By { release: Some(as_release(release)), holder };
        Kref::put_slow(kref::as_non_null(kref), old, by, releasing(release))
    }
    .into()
}

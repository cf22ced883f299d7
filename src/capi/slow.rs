//! The cold halves of the functions that kref/inline.h gives the compiler to inline.

use core::ffi::c_int;

use super::types::kref;
use crate::Kref;

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// The rest of kref_get(), for code that has raised the count itself and found old.
///
/// Range:    what an increment found that was zero, INT_MAX or negative.
/// Misuse:   that is what it is for: the count saturates, and a violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  here.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_get_slow(kref: *mut kref, old: c_int) {
    // SAFETY: the C caller guarantees a live kref.
    unsafe { kref::as_kref(kref) }.get_slow(old);
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
/// Misuse:   old was zero or negative: the count saturates, release is not called, and a violation
///           is reported.
/// Ordering: acquire before release() runs.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  1 if old was the last reference, and release() has run; otherwise 0.
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
    unsafe { Kref::put_slow(kref::as_non_null(kref), old, |last| release(last.as_ptr().cast())) }
        .into()
}

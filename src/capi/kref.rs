//! The reference count.

use core::ffi::{c_int, c_uint};
use core::ptr;

use super::edge::{CallSite, edge};
use super::slow::{at_kref_get_slow, finish_put};
use super::types::kref;
use crate::Kref;
use crate::count::Lowered;

/// cbindgen:postfix=KREF_NONNULL
/// Start counting: one reference, the caller's.
///
/// Range:    a new object, or memory to be used again for one; no other thread knows it yet.
/// Misuse:   on an object that is still referenced, its holders are forgotten.
/// Ordering: relaxed. What shows the object to others later must order it: a lock, a queue,
///           pthread_create().
/// Threads:  one, before the object is shared. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, kref_init().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_init(kref: *mut kref) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe { kref::as_kref(kref) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Read the count: a number to print, not to decide by, since it may have changed already.
///
/// Range:    0 means that the object is being released; INT_MAX is the most; above it, the count
///           is saturated.
/// Misuse:   none that can be seen.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  the count.
/// Defined:  Linux, kref_read().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_read(kref: *const kref) -> c_uint {
    // SAFETY: the C caller guarantees a live kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.read() as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference. The caller holds one already: this is rule 1, before a hand-over.
///
/// Range:    up to INT_MAX references.
/// Misuse:   on a count of zero, at INT_MAX, or on a saturated count: the count saturates, the
///           object is never released, and a violation is reported.
/// Ordering: relaxed. The caller's own reference already shows it the object.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing; it cannot fail.
/// Defined:  Linux, kref_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_get(kref: *mut kref, call: CallSite) {
    // SAFETY: the C caller guarantees a live kref.
    unsafe {
        if !kref::as_kref(kref).raise() {
            at_kref_get_slow(kref, ptr::null(), call);
        }
    }
}
edge!(kref_get = at_kref_get, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless the object is already being released. For lookups: the caller holds no
/// reference, but a lock or something like it that keeps the memory from being freed.
///
/// Range:    up to INT_MAX references.
/// Misuse:   at INT_MAX, or on a saturated count: the count saturates, the object is never
///           released, a violation is reported, and the caller may use the object (1 is returned).
/// Ordering: relaxed, as in the kernel; the lock that protects the lookup orders the rest.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 with a reference taken, 0 without: the object is not the caller's to use.
/// Defined:  Linux, kref_get_unless_zero().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_get_unless_zero(kref: *mut kref, call: CallSite) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a kref.
    unsafe { kref::as_kref(kref) }.get_unless_zero_from(call.into()).into()
}
edge!(kref_get_unless_zero = at_kref_get_unless_zero, 1);
edge!(kref_get_unless_zero_slow = at_kref_get_unless_zero, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give a reference back: rule 2. The last one calls release(kref), the only place that frees.
///
/// Range:    one reference, the caller's own. The object is not the caller's to use afterwards.
/// Misuse:   on a count of zero or a saturated count: the count saturates, release is not called,
///           and a violation is reported.
/// Ordering: release; and before release() runs, acquire: it sees everything that every holder
///           did to the object before its own put.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  1 if this was the last reference and release() has run, otherwise 0.
/// Defined:  Linux, kref_put().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live kref, its own reference on it, and that release may
    // be called with it.
    unsafe {
        match Kref::lower(kref::as_non_null(kref)) {
            Lowered::Alive => 0,
            lowered => finish_put(kref, release, ptr::null(), call, lowered),
        }
    }
}
edge!(kref_put = at_kref_put, 2);

//! The reference count.

use core::ffi::{c_int, c_uint};
use core::ptr;

use super::edge::{CallSite, edge};
use super::inline::{at_kref_get_slow, finish_put};
use super::types::kref;
use crate::Kref;
use crate::count::Lowered;

/// cbindgen:postfix=KREF_NONNULL
/// Initialise a count with one reference, which the caller holds.
///
/// Range:    a new object, or memory that is reused for one; no other thread can reach it yet.
/// Misuse:   on an object with references: the count forgets them, and the object is freed too
///           early.
/// Ordering: relaxed. Another thread must receive the object in a way that orders: through a lock, a
///           queue or pthread_create().
/// Threads:  one, before the object is shared. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, kref_init().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_init(kref: *mut kref) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe { kref::as_kref(kref) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Read the count, for a message or a test. Do not make a decision by it: other threads may change
/// the count at any time.
///
/// Range:    any kref.
/// Misuse:   none that can be seen.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  the count, at most INT_MAX; 0 if the object was released, or the kref was never
///           initialised; (unsigned int)KREF_SATURATED if the count is saturated.
/// Defined:  Linux, kref_read().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_read(kref: *const kref) -> c_uint {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.read() as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference. The caller holds one already. (Rule 1: call this before a hand-over.)
///
/// Range:    up to INT_MAX references.
/// Misuse:   on a count of zero, on memory that was never initialised, with too many references, or
///           on a saturated count: the count saturates, the object is never released, and a
///           violation is reported. The first reference above INT_MAX is not yet caught, the second
///           one is.
/// Ordering: relaxed. The caller already holds a reference, so the caller already sees the object.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing; it cannot fail.
/// Defined:  Linux, kref_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_get(kref: *mut kref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe {
        if !kref::as_kref(kref).raise() {
            at_kref_get_slow(kref, ptr::null(), call);
        }
    }
}
edge!(kref_get = at_kref_get, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless the object is already being released. For lookups: the caller holds no
/// reference, but a lock, or something else that keeps the object's memory from being freed.
///
/// Range:    up to INT_MAX references.
/// Misuse:   at INT_MAX, or on a saturated count: the count saturates, the object is never released,
///           a violation is reported, and 1 is returned: the caller may use the object.
/// Ordering: relaxed, as in the kernel. The lock that protects the lookup orders the object's
///           contents.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if a reference was taken. 0 if not: the caller must not use the object.
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
/// Give a reference back: rule 2. The last put calls release(kref), and only release frees the
/// object.
///
/// Range:    one reference, which the caller holds. Afterwards the caller must not use the object.
/// Misuse:   on a count of zero, on memory that was never initialised, or on a saturated count: the
///           count saturates, release is not called, and a violation is reported.
/// Ordering: release. The last put also acquires before it calls release(): release() sees what
///           every holder did to the object before its put.
/// Threads:  any. Signal handlers: yes, if release() may run there.
/// Returns:  1 if this was the last reference and release() has run, otherwise 0.
/// Defined:  Linux, kref_put().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it holds a reference on a valid kref, and that release may
    // be called with the kref.
    unsafe {
        match Kref::lower(kref::as_non_null(kref)) {
            Lowered::Alive => 0,
            lowered => finish_put(kref, release, ptr::null(), call, lowered),
        }
    }
}
edge!(kref_put = at_kref_put, 2);

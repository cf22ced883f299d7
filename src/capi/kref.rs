//! The reference count.

use core::ffi::{c_int, c_uint};
use core::ptr;

use super::count::at_kref_count_add;
use super::edge::{CallSite, edge};
use super::inline::{at_kref_get_slow, finish_put};
use super::types::{as_release, kref, releasing};
use crate::Kref;
use crate::count::Lowered;
use crate::tracker::By;

/// cbindgen:postfix=KREF_NONNULL
/// Initialise a count with one reference, which the caller holds.
///
/// Misuse:   on an object with references: the count forgets them, and the object is freed too
///           early.
/// Defined:  Linux, kref_init().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_init(kref: *mut kref) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe { kref::as_kref(kref) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference. The caller holds one already. (Rule 1: call this before a hand-over.)
///
/// Misuse:   the first reference above INT_MAX is not yet caught, the second one is.
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
/// Give a reference back: rule 2. The last put calls release(kref), and only release frees the
/// object.
///
/// Range:    after the call, the caller must not use the object.
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

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless the object is already being released. For lookups: the caller holds no
/// reference, but a lock, or something else that keeps the object's memory from being freed.
///
/// Misuse:   a count of zero is no misuse here. At INT_MAX, or on a saturated count, 1 is returned:
///           the caller may use the object, which is never freed.
/// Ordering: the lock that protects the lookup orders the object's contents.
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
/// Read the count, for a message or a test. Do not make a decision by it: other threads may change
/// the count at any time. For "am I the only holder?" there is kref_is_unique().
///
/// Returns:  the count, at most INT_MAX; 0 if the object was released, or the kref was never
///           initialised; (unsigned int)KREF_SATURATED if the count is saturated.
/// Defined:  Linux, kref_read().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_read(kref: *const kref) -> c_uint {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.read() as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Whether the caller holds the only reference. The test for copy on write: if the answer is 1, the
/// caller may change the object, since nobody else can reach it; if 0, the caller changes a copy.
///
///     if (!kref_is_unique(&buffer->kref)) { copy = buffer_copy(buffer); buffer_put(buffer); buffer = copy; }
///
/// Range:    a kref on which the caller holds a reference. Nobody can look the object up without one:
///           the object is in no table and no slot.
/// Ordering: acquire: the caller sees what earlier holders did to the object before their puts.
///           kref_read() == 1 does not give that.
/// Returns:  1 or 0. 0 if the count is saturated.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_is_unique(kref: *const kref) -> c_int {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.is_unique().into()
}

/// cbindgen:postfix=KREF_NONNULL
/// Initialise a count with n references: one for each holder that the object has from the start.
/// Example: 2, for the list and for the caller.
///
/// Range:    n from 1 to INT_MAX.
/// Misuse:   with an n below 1 the count saturates, and a violation is reported; otherwise as for
///           kref_init().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_init_n(kref: *mut kref, n: c_int, call: CallSite) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe {
        kref_init(kref);
        if n != 1 {
            at_kref_count_add(n.wrapping_sub(1), kref.cast(), call);
        }
    }
}
edge!(kref_init_n = at_kref_init_n, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Give n references back at once, as kref_put() gives one.
///
/// Range:    n references, which the caller holds; n from 0.
/// Misuse:   n above the count, or a negative n, is a misuse, too.
/// Returns:  1 if these were the last references and release() has run, otherwise 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_many(
    kref: *mut kref,
    n: c_int,
    release: unsafe extern "C" fn(kref: *mut kref),
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it holds n references on a valid kref, and that release may
    // be called with the kref.
    unsafe {
        let by = By::putting(as_release(release));
        let kref = kref::as_non_null(kref);
        Kref::put_many_from(kref, n, by, releasing(release), call.into()).into()
    }
}
edge!(kref_put_many = at_kref_put_many, 3);

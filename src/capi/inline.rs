//! The cold paths of the functions in kref/inline.h, which the C compiler inlines.

use core::ffi::{c_char, c_int, c_uint};
use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{as_release, kref, kref_pool, or_null, refcount_struct, releasing};
use crate::count::Lowered;
use crate::tracker::By;
use crate::{Count, Kref};

/// cbindgen:postfix=KREF_COLD
/// The rest of kref_read(), for a stored value that is not a count from 1 to INT_MAX.
///
/// Returns:  what kref_read() returns.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn kref_read_slow(stored: c_int) -> c_uint {
    Count::read_stored(stored) as c_uint
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1)) KREF_COLD
/// kref_init() and kref_init_as() while a tracker is set.
///
/// Range:    type may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_init_slow(kref: *mut kref, r#type: *const c_char) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe { kref::as_kref(kref) }.init_as(r#type);
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1)) KREF_COLD
/// The rest of kref_pool_get(), which has found no live count under the handle. Or it has, and has taken a
/// reference, but the handle does not name this object: taken.
///
/// Range:    taken may be NULL.
/// Returns:  what kref_pool_get() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_get_slow(
    pool: *mut kref_pool,
    handle: u64,
    taken: *mut kref,
) -> *mut kref {
    // SAFETY: the C caller guarantees a valid pool, and that it holds a reference on `taken`.
    or_null(unsafe { kref_pool::as_pool(pool) }.get_slow(handle, NonNull::new(taken.cast())))
}

/// cbindgen:postfix=KREF_NONNULL
/// Whether the object is tracked: kref/tsan.h asks.
///
/// Returns:  1 or 0. The answer does not change as long as a reference is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_is_tracked(kref: *const kref) -> c_int {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe { kref::as_kref(kref.cast_mut()) }.is_tracked().into()
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1)) KREF_COLD
/// The rest of kref_get(), kref_get_as() and kref_count_inc(), after the increment of a count that was not
/// alive, or was full.
///
/// Range:    holder may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_get_slow(kref: *mut kref, holder: *const c_char, call: CallSite) {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe { kref::as_kref(kref) }.get_cold(holder, call.into());
}
edge!(kref_get_slow = at_kref_get_slow, 2);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1)) KREF_COLD
/// The rest of kref_put() and kref_put_as(), after the decrement of a count that was not alive. If release is
/// NULL, the rest of kref_count_dec_and_test().
///
/// Range:    release and holder may be NULL.
/// Returns:  1 if this was the last reference on a tracked object and release() has run, otherwise
///           0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_slow(
    kref: *mut kref,
    release: Option<unsafe extern "C" fn(kref: *mut kref)>,
    holder: *const c_char,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it held a reference and has decremented the count, and that
    // release may be called with the kref.
    unsafe {
        match release {
            Some(release) => finish_put(kref, release, holder, call, Lowered::NotAlive),
            None => refcount_struct::as_count(kref.cast()).dec_and_test_cold(call.into()).into(),
        }
    }
}
edge!(kref_put_slow = at_kref_put_slow, 3);

/// The rest of kref_put() and kref_put_as(), after [`Lowered::Last`] or [`Lowered::NotAlive`]. One
/// function for both, so that the exported functions jump to it and need no stack frame.
///
/// # Safety
/// The caller's decrement has returned `lowered`. `release` may be called with the kref.
#[inline(never)]
pub(super) unsafe fn finish_put(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    holder: *const c_char,
    call: CallSite,
    lowered: Lowered,
) -> c_int {
    // SAFETY: as promised.
    unsafe {
        let (kref, release_fn) = (kref::as_non_null(kref), releasing(release));
        if lowered == Lowered::Last {
            return Kref::release_last(kref, release_fn).into();
        }
        let by = By { release: Some(as_release(release)), holder };
        Kref::put_cold(kref, by, release_fn, call.into()).into()
    }
}

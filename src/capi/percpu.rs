//! The percpu reference: its beginning, gets and puts.

use core::ffi::{c_int, c_uint, c_ulong};

use super::edge::{CallSite, edge};
use super::types::{as_percpu_fn, percpu_ref};
use crate::{InitError, PercpuRef};

/// cbindgen:postfix=KREF_MUST_USE KREF_NONNULL
/// Begin with one reference, the initial one, which percpu_ref_kill() gives back.
///
/// Range:    flags: any of PERCPU_REF_INIT_ATOMIC, PERCPU_REF_INIT_DEAD, PERCPU_REF_ALLOW_REINIT, or
///           0. release is called by whoever gives back the last reference.
/// Misuse:   on one in use, what it took is forgotten.
/// Ordering: relaxed. What shows the object to others later must order it.
/// Threads:  one, before the object is shared. Signal handlers: no, it allocates.
/// Returns:  0; -ENOMEM; -EINVAL for a flag that is none. Then nothing was taken.
/// Defined:  Linux, percpu_ref_init(), which has one parameter more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_init(
    r#ref: *mut percpu_ref,
    release: unsafe extern "C" fn(r#ref: *mut percpu_ref),
    flags: c_uint,
) -> c_int {
    // SAFETY: the C caller guarantees that release may be called with the reference.
    match unsafe { PercpuRef::new(as_percpu_fn(release), flags) } {
        // SAFETY: the C caller guarantees memory for a percpu_ref. What was in it is not dropped.
        Ok(new) => unsafe { r#ref.cast::<PercpuRef>().write(new) },
        Err(InitError::OutOfMemory) => return -libc::ENOMEM,
        Err(InitError::UnknownFlag) => return -libc::EINVAL,
    }
    0
}

/// cbindgen:postfix=KREF_NONNULL
/// Free what percpu_ref_init() took: in the release function, or where the object is given up that
/// nobody else ever knew.
///
/// Range:    one that was released; or was never killed, with its initial reference alone; or one
///           after percpu_ref_exit(), which does nothing. Nobody may be in a percpu_ref_tryget() any
///           more: what keeps the memory for those must keep it from this, too.
/// Misuse:   while somebody may hold a reference, nothing is freed, and a violation is reported.
/// Ordering: that of percpu_ref_kill() if it was never killed, otherwise none.
/// Threads:  one, the last to know the object. Signal handlers: no.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_exit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_exit(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.exit(call.into());
}
edge!(percpu_ref_exit = at_percpu_ref_exit, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference; the caller holds one already.
///
/// Range:    the sum up to LONG_MAX / 8.
/// Misuse:   at zero or saturated, where that can be known (in atomic mode): the count saturates, and
///           a violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_get(). Saturation is only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_many_from(1, call.into());
}
edge!(percpu_ref_get = at_percpu_ref_get, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take nr more references; the caller holds one already.
///
/// Range:    nr up to INT_MAX (2^15 - 1 where a long has 32 bits); the sum up to LONG_MAX / 8.
/// Misuse:   as for percpu_ref_get(); and a greater nr is an overflow.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_get_many(). Saturation is only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get_many(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_many_from(nr as usize, call.into());
}
edge!(percpu_ref_get_many = at_percpu_ref_get_many, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless none is left. For those who hold none: something else keeps the memory.
///
/// Range:    as for percpu_ref_get().
/// Misuse:   saturated, in atomic mode: a violation is reported, and 1 is returned.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was taken, 0 if no reference was left.
/// Defined:  Linux, percpu_ref_tryget(). Saturation is only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_tryget(r#ref: *mut percpu_ref, call: CallSite) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_many_from(1, call.into()).into()
}
edge!(percpu_ref_tryget = at_percpu_ref_tryget, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take nr references unless none is left.
///
/// Range:    as for percpu_ref_get_many().
/// Misuse:   as for percpu_ref_tryget(); and a greater nr is an overflow.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if they were taken, 0 if no reference was left.
/// Defined:  Linux, percpu_ref_tryget_many(). Saturation is only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_tryget_many(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_many_from(nr as usize, call.into()).into()
}
edge!(percpu_ref_tryget_many = at_percpu_ref_tryget_many, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless it was killed. Once percpu_ref_kill() calls confirm, or returns, nobody
/// succeeds any more.
///
/// Range:    as for percpu_ref_get().
/// Misuse:   as for percpu_ref_tryget().
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was taken, 0 if it is dying.
/// Defined:  Linux, percpu_ref_tryget_live(). Saturation is only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_tryget_live(
    r#ref: *mut percpu_ref,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_live_from(call.into()).into()
}
edge!(percpu_ref_tryget_live = at_percpu_ref_tryget_live, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back. After percpu_ref_kill(), the last one calls release.
///
/// Range:    one reference, the caller's own, and not the initial one, which is percpu_ref_kill()'s.
/// Misuse:   at zero or saturated, where that can be known (in atomic mode): the count saturates,
///           release is not called, and a violation is reported. Otherwise percpu_ref_kill() finds
///           out.
/// Ordering: release; and before release() runs, acquire.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_put(). Saturation is only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_put(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref, and its own reference on it.
    unsafe { PercpuRef::put_many_from(percpu_ref::as_non_null(r#ref), 1, call.into()) };
}
edge!(percpu_ref_put = at_percpu_ref_put, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give nr references back. After percpu_ref_kill(), the last one calls release.
///
/// Range:    nr references, the caller's own; up to INT_MAX.
/// Misuse:   as for percpu_ref_put(); and a greater nr is more than was taken.
/// Ordering: release; and before release() runs, acquire.
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_put_many(). Saturation is only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_put_many(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref, and its own references on it.
    unsafe { PercpuRef::put_many_from(percpu_ref::as_non_null(r#ref), nr as usize, call.into()) };
}
edge!(percpu_ref_put_many = at_percpu_ref_put_many, 2);

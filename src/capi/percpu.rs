//! The percpu reference: init, exit, gets and puts.

use core::ffi::{c_int, c_uint, c_ulong};

use super::edge::{CallSite, edge};
use super::types::{as_percpu_fn, percpu_ref};
use crate::{InitError, PercpuRef};

/// cbindgen:postfix=KREF_MUST_USE KREF_NONNULL
/// Initialise a percpu_ref with one reference, the initial reference, which percpu_ref_kill() gives
/// back.
///
/// Range:    flags: any of PERCPU_REF_INIT_ATOMIC, PERCPU_REF_INIT_DEAD, PERCPU_REF_ALLOW_REINIT, or
///           0. The last put calls release.
/// Misuse:   on a percpu_ref that is in use: the old references are forgotten, and the memory of the
///           old counters leaks.
/// Threads:  not in a signal handler, because the function allocates.
/// Returns:  0; -ENOMEM; or -EINVAL for an unknown flag. After an error, nothing is allocated.
/// Defined:  Linux, percpu_ref_init(), which has one parameter more and ignores unknown flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_init(
    r#ref: *mut percpu_ref,
    release: unsafe extern "C" fn(r#ref: *mut percpu_ref),
    flags: c_uint,
) -> c_int {
    // SAFETY: the C caller guarantees memory for a percpu_ref, and that release may be called with it.
    let new = unsafe {
        let place = percpu_ref::as_non_null(r#ref);
        PercpuRef::init_at(place, as_percpu_fn(release), flags)
    };
    match new {
        Ok(()) => 0,
        Err(InitError::OutOfMemory) => -libc::ENOMEM,
        Err(InitError::UnknownFlag) => -libc::EINVAL,
    }
}

/// cbindgen:postfix=KREF_NONNULL
/// Free what percpu_ref_init() has allocated. Call this in the release function. For an object that
/// is freed before any other thread could reach it, call this without percpu_ref_kill().
///
/// Range:    a percpu_ref that was released; or one that was never killed and has only its initial
///           reference; or one after percpu_ref_exit(), and then nothing happens. No other thread
///           may still be in a percpu_ref_tryget(). The lock that protects such a thread from a freed
///           object must also delay this call.
/// Misuse:   if somebody may hold a reference, nothing is freed, and a violation is reported.
/// Ordering: that of percpu_ref_kill() if the percpu_ref was never killed, otherwise none.
/// Threads:  one, the last that can reach the object; not in a signal handler.
/// Defined:  Linux, percpu_ref_exit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_exit(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.exit(call.into());
}
edge!(percpu_ref_exit = at_percpu_ref_exit, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference.
///
/// Defined:  Linux, percpu_ref_get(), which does not saturate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_many_from(1, call.into());
}
edge!(percpu_ref_get = at_percpu_ref_get, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take nr more references.
///
/// Range:    nr up to INT_MAX (2^15 - 1 if a long has 32 bits); a larger nr is an overflow. If nr is
///           above 127, the function makes an atomic operation in both modes.
/// Defined:  Linux, percpu_ref_get_many(), which does not saturate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get_many(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_many_from(nr as usize, call.into());
}
edge!(percpu_ref_get_many = at_percpu_ref_get_many, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference unless no reference is left. The caller holds none, but a lock, or something
/// else that keeps the object's memory from being freed.
///
/// Misuse:   a count of zero is no misuse here. Saturated, in atomic mode: 1 is returned.
/// Returns:  1 if the reference was taken, 0 if no reference was left.
/// Defined:  Linux, percpu_ref_tryget(), which does not saturate.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_tryget(r#ref: *mut percpu_ref, call: CallSite) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_many_from(1, call.into()).into()
}
edge!(percpu_ref_tryget = at_percpu_ref_tryget, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take nr references unless no reference is left.
///
/// Range:    as for percpu_ref_get_many().
/// Misuse:   as for percpu_ref_tryget().
/// Returns:  1 if the references were taken, 0 if no reference was left.
/// Defined:  Linux, percpu_ref_tryget_many(), which does not saturate.
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
/// Take a reference unless the percpu_ref was killed. When percpu_ref_kill() has called confirm or
/// has returned, no call of this function succeeds any more.
///
/// Misuse:   as for percpu_ref_tryget().
/// Returns:  1 if the reference was taken, 0 if the percpu_ref was killed.
/// Defined:  Linux, percpu_ref_tryget_live(), which does not saturate.
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
/// Give one reference back. After percpu_ref_kill(), the last put calls the release function.
///
/// Range:    not the initial reference, which percpu_ref_kill() gives back.
/// Defined:  Linux, percpu_ref_put(), which does not saturate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_put(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees that it holds a reference on a valid percpu_ref.
    unsafe { PercpuRef::put_many_from(percpu_ref::as_non_null(r#ref), 1, call.into()) };
}
edge!(percpu_ref_put = at_percpu_ref_put, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give nr references back. After percpu_ref_kill(), the last put calls the release function.
///
/// Range:    nr up to INT_MAX (2^15 - 1 if a long has 32 bits): a larger nr is more than the caller
///           can have taken, so the count saturates.
/// Defined:  Linux, percpu_ref_put_many(), which does not saturate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_put_many(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees that it holds nr references on a valid percpu_ref.
    unsafe { PercpuRef::put_many_from(percpu_ref::as_non_null(r#ref), nr as usize, call.into()) };
}
edge!(percpu_ref_put_many = at_percpu_ref_put_many, 2);

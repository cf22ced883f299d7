//! The percpu reference: kill, switch, resurrect, and its state.

use core::ffi::c_int;

use super::edge::{CallSite, edge};
use super::types::{as_percpu_fn, percpu_ref};
use crate::PercpuRef;

/// cbindgen:postfix=KREF_NONNULL
/// Give the initial reference back, and change to atomic mode, in which the last put is recognised and
/// calls the release function. That may happen before this function returns. From now on
/// percpu_ref_tryget_live() fails.
///
/// Range:    once, by the holder of the initial reference.
/// Misuse:   the second time, nothing happens, and a violation is reported. If more references were
///           given back than taken, or if the kernel refuses the membarrier, a violation is
///           reported, and the object leaks.
/// Threads:  not in a signal handler, because the function takes a lock for a short time. The
///           function makes a membarrier, which takes some microseconds; no other thread waits for it.
/// Defined:  Linux, percpu_ref_kill(), which does all this some time later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_kill(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees that it holds the initial reference of a valid percpu_ref.
    unsafe { PercpuRef::kill_from(percpu_ref::as_non_null(r#ref), None, call.into()) };
}
edge!(percpu_ref_kill = at_percpu_ref_kill, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// percpu_ref_kill() that calls confirm(ref): after percpu_ref_tryget_live() has begun to fail in
/// all threads, and before the initial reference is given back.
///
/// Range:    as for percpu_ref_kill(); confirm may be NULL.
/// Misuse:   as for percpu_ref_kill(). The second time, and if the membarrier is refused, confirm is
///           not called.
/// Threads:  as for percpu_ref_kill(). confirm runs in the calling thread, before this function
///           returns.
/// Defined:  Linux, percpu_ref_kill_and_confirm(), which calls confirm some time later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_kill_and_confirm(
    r#ref: *mut percpu_ref,
    confirm: Option<unsafe extern "C" fn(r#ref: *mut percpu_ref)>,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees that it holds the initial reference of a valid percpu_ref.
    unsafe {
        let confirm = confirm.map(as_percpu_fn);
        PercpuRef::kill_from(percpu_ref::as_non_null(r#ref), confirm, call.into());
    }
}
edge!(percpu_ref_kill_and_confirm = at_percpu_ref_kill_and_confirm, 2);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Change to atomic mode, until percpu_ref_switch_to_percpu(). Then call confirm(ref). In atomic
/// mode the count is known, so misuse is reported.
///
/// Range:    confirm may be NULL.
/// Misuse:   as for percpu_ref_kill(); but a second call is allowed.
/// Ordering: release: the thread that makes the last put sees what other threads did before their
///           earlier puts.
/// Threads:  as for percpu_ref_kill().
/// Defined:  Linux, percpu_ref_switch_to_atomic(), which calls confirm some time later. There, a
///           percpu_ref without PERCPU_REF_ALLOW_REINIT is dying from then on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_atomic(
    r#ref: *mut percpu_ref,
    confirm: Option<unsafe extern "C" fn(r#ref: *mut percpu_ref)>,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees that it holds a reference on a valid percpu_ref, and that confirm
    // may be called with it.
    unsafe {
        let confirm = confirm.map(as_percpu_fn);
        percpu_ref::as_percpu(r#ref).switch_to_atomic_from(confirm, call.into());
    }
}
edge!(percpu_ref_switch_to_atomic = at_percpu_ref_switch_to_atomic, 2);

/// cbindgen:postfix=KREF_NONNULL
/// percpu_ref_switch_to_atomic() without confirm. (Here both functions change the mode before they
/// return.)
///
/// Misuse:   as for percpu_ref_kill(); but a second call is allowed.
/// Ordering: release: the thread that makes the last put sees what other threads did before their
///           earlier puts.
/// Threads:  as for percpu_ref_kill().
/// Defined:  Linux, percpu_ref_switch_to_atomic_sync().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_atomic_sync(
    r#ref: *mut percpu_ref,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees that it holds a reference on a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref).switch_to_atomic_from(None, call.into()) };
}
edge!(percpu_ref_switch_to_atomic_sync = at_percpu_ref_switch_to_atomic_sync, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Change to percpu mode: at once, or, if the percpu_ref was killed, when it is resurrected.
///
/// Range:    a percpu_ref that was initialised with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or
///           _INIT_DEAD. The caller holds a reference, or no other thread can reach the object.
/// Misuse:   initialised without these flags and switched to atomic mode: the mode does not change,
///           and a violation is reported.
/// Threads:  not in a signal handler, because the function takes a lock for a short time.
/// Defined:  Linux, percpu_ref_switch_to_percpu().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_percpu(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.switch_to_percpu_from(call.into());
}
edge!(percpu_ref_switch_to_percpu = at_percpu_ref_switch_to_percpu, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Make a killed percpu_ref alive again, with a new initial reference, which the caller holds.
/// References that are still held stay valid.
///
/// Range:    a percpu_ref that was killed and not freed, and that was initialised with
///           PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD.
/// Misuse:   not killed: nothing happens, and a violation is reported. Initialised without these
///           flags: it is alive again, but in atomic mode, and a violation is reported.
/// Threads:  not at the same time as percpu_ref_kill(), and not in a signal handler.
/// Defined:  Linux, percpu_ref_resurrect().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_resurrect(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.resurrect_from(call.into());
}
edge!(percpu_ref_resurrect = at_percpu_ref_resurrect, 1);

/// cbindgen:postfix=KREF_NONNULL
/// percpu_ref_resurrect() for a percpu_ref on which no reference is left, or that was initialised
/// with PERCPU_REF_INIT_DEAD.
///
/// Range:    as for percpu_ref_resurrect(); and percpu_ref_is_zero() is true.
/// Misuse:   as for percpu_ref_resurrect(). If a reference is left, the percpu_ref is resurrected
///           nevertheless, and a
///           violation is reported.
/// Ordering: acquire.
/// Threads:  as for percpu_ref_resurrect().
/// Defined:  Linux, percpu_ref_reinit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_reinit(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.reinit_from(call.into());
}
edge!(percpu_ref_reinit = at_percpu_ref_reinit, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Whether a percpu_ref was killed and not resurrected. Also true after percpu_ref_exit().
///
/// Returns:  1 or 0.
/// Defined:  Linux, percpu_ref_is_dying().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_is_dying(r#ref: *mut percpu_ref) -> c_int {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.is_dying().into()
}

/// cbindgen:postfix=KREF_NONNULL
/// Whether no reference is left. Never true in percpu mode.
///
/// Ordering: acquire if it returns 1.
/// Returns:  1 or 0. 1 after percpu_ref_exit().
/// Defined:  Linux, percpu_ref_is_zero(), which after percpu_ref_exit() answers as before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_is_zero(r#ref: *mut percpu_ref) -> c_int {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.is_zero().into()
}

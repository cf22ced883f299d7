//! The percpu reference: its death, its return, and what it is doing.

use core::ffi::c_int;

use super::edge::{CallSite, edge};
use super::types::{as_percpu_fn, percpu_ref};
use crate::PercpuRef;

/// cbindgen:postfix=KREF_NONNULL
/// Give the initial reference back, and count atomically from now on, so that the last put is seen:
/// it calls release, perhaps before this returns. percpu_ref_tryget_live() fails from now on.
///
/// Range:    once, by whoever the initial reference belongs to.
/// Misuse:   a second time: nothing is done, and a violation is reported. If more was put than taken,
///           or the kernel refuses the membarrier: reported, and the object leaks.
/// Ordering: release; and before release() runs, acquire.
/// Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier, some
///           microseconds; nobody waits for it but the caller.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_kill(), where all this happens some time later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_kill(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref, whose initial reference it gives up.
    unsafe { PercpuRef::kill_from(percpu_ref::as_non_null(r#ref), None, call.into()) };
}
edge!(percpu_ref_kill = at_percpu_ref_kill, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// percpu_ref_kill() that calls confirm(ref) when percpu_ref_tryget_live() fails for everybody, and
/// before it gives the initial reference back.
///
/// Range:    as for percpu_ref_kill(); confirm may be NULL.
/// Misuse:   as for percpu_ref_kill(). The second time, and where the membarrier is refused, confirm is
///           not called: there is nothing to confirm.
/// Ordering: as for percpu_ref_kill().
/// Threads:  as for percpu_ref_kill(); confirm runs in the calling one, before this returns.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_kill_and_confirm(), where confirm is called some time later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_kill_and_confirm(
    r#ref: *mut percpu_ref,
    confirm: Option<unsafe extern "C" fn(r#ref: *mut percpu_ref)>,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref, whose initial reference it gives up.
    unsafe {
        let confirm = confirm.map(as_percpu_fn);
        PercpuRef::kill_from(percpu_ref::as_non_null(r#ref), confirm, call.into());
    }
}
edge!(percpu_ref_kill_and_confirm = at_percpu_ref_kill_and_confirm, 2);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Count atomically from now on, until percpu_ref_switch_to_percpu(): for a time in which the count is
/// to be known. Then confirm(ref) is called.
///
/// Range:    the caller holds a reference; confirm may be NULL.
/// Misuse:   as for percpu_ref_kill(), but for a second time, which is none.
/// Ordering: release, for what others did before they put.
/// Threads:  any. Signal handlers: no. It costs what percpu_ref_kill() costs.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_switch_to_atomic(), where confirm is called some time later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_atomic(
    r#ref: *mut percpu_ref,
    confirm: Option<unsafe extern "C" fn(r#ref: *mut percpu_ref)>,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref, its own reference on it, and that confirm may
    // be called with it.
    unsafe {
        let confirm = confirm.map(as_percpu_fn);
        percpu_ref::as_percpu(r#ref).switch_to_atomic_from(confirm, call.into());
    }
}
edge!(percpu_ref_switch_to_atomic = at_percpu_ref_switch_to_atomic, 2);

/// cbindgen:postfix=KREF_NONNULL
/// percpu_ref_switch_to_atomic() without a confirm: here both have happened when they return.
///
/// Range:    the caller holds a reference.
/// Misuse:   as for percpu_ref_switch_to_atomic().
/// Ordering: as for percpu_ref_switch_to_atomic().
/// Threads:  as for percpu_ref_switch_to_atomic().
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_switch_to_atomic_sync().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_atomic_sync(
    r#ref: *mut percpu_ref,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref, and its own reference on it.
    unsafe { percpu_ref::as_percpu(r#ref).switch_to_atomic_from(None, call.into()) };
}
edge!(percpu_ref_switch_to_atomic_sync = at_percpu_ref_switch_to_atomic_sync, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Count on each CPU again: at once, or when it is resurrected.
///
/// Range:    made with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD. The caller holds a
///           reference, or has the object to itself.
/// Misuse:   made without: it stays as it is, and a violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: no, it takes a lock for a moment.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_switch_to_percpu().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_switch_to_percpu(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.switch_to_percpu_from(call.into());
}
edge!(percpu_ref_switch_to_percpu = at_percpu_ref_switch_to_percpu, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take a killed one back into life, with a new initial reference; references that are held count on.
///
/// Range:    killed, not freed; made with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD.
/// Misuse:   not killed: nothing is done. Made without: it lives on in atomic mode. Both are reported.
/// Ordering: relaxed.
/// Threads:  any, one at a time with percpu_ref_kill(). Signal handlers: no.
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_resurrect().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_resurrect(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.resurrect_from(call.into());
}
edge!(percpu_ref_resurrect = at_percpu_ref_resurrect, 1);

/// cbindgen:postfix=KREF_NONNULL
/// percpu_ref_resurrect() for one whose last reference is gone; or that began with
/// PERCPU_REF_INIT_DEAD.
///
/// Range:    as for percpu_ref_resurrect(); percpu_ref_is_zero().
/// Misuse:   as for percpu_ref_resurrect(); not at zero: resurrected all the same, and reported.
/// Ordering: acquire.
/// Threads:  as for percpu_ref_resurrect().
/// Returns:  nothing.
/// Defined:  Linux, percpu_ref_reinit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_reinit(r#ref: *mut percpu_ref, call: CallSite) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.reinit_from(call.into());
}
edge!(percpu_ref_reinit = at_percpu_ref_reinit, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Whether it was killed and not resurrected; also after percpu_ref_exit().
///
/// Range:    any that was initialised.
/// Misuse:   none that can be seen.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 or 0.
/// Defined:  Linux, percpu_ref_is_dying().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_is_dying(r#ref: *mut percpu_ref) -> c_int {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.is_dying().into()
}

/// cbindgen:postfix=KREF_NONNULL
/// Whether no reference is left. Never while it counts on each CPU.
///
/// Range:    any that was initialised; also after percpu_ref_exit().
/// Misuse:   none that can be seen.
/// Ordering: acquire, if so.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 or 0.
/// Defined:  Linux, percpu_ref_is_zero().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_is_zero(r#ref: *mut percpu_ref) -> c_int {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.is_zero().into()
}

//! The cold paths of the functions in kref/percpu_inline.h, which the C compiler inlines. They are called if a
//! sequence cannot use this CPU's counter.

use core::ffi::{c_int, c_ulong};

use super::edge::{CallSite, edge};
use super::types::percpu_ref;
use crate::PercpuRef;

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_get_many() without this CPU's counter, in both modes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get_slow(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a valid percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_slow(nr as usize, call.into());
}
edge!(percpu_ref_get_slow = at_percpu_ref_get_slow, 2);

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_tryget_many() without this CPU's counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_tryget_slow(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_slow(nr as usize, call.into()).into()
}
edge!(percpu_ref_tryget_slow = at_percpu_ref_tryget_slow, 2);

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_tryget_live() without this CPU's counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_tryget_live_slow(
    r#ref: *mut percpu_ref,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_live_slow(call.into()).into()
}
edge!(percpu_ref_tryget_live_slow = at_percpu_ref_tryget_live_slow, 1);

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_put_many() without this CPU's counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_put_slow(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees that it holds nr references on a valid percpu_ref.
    unsafe { PercpuRef::put_slow(percpu_ref::as_non_null(r#ref), nr as usize, call.into()) };
}
edge!(percpu_ref_put_slow = at_percpu_ref_put_slow, 2);

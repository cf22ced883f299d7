//! The other halves of the functions that kref/percpu.h gives the compiler to inline: for where a
//! sequence cannot count, or gave up.

use core::ffi::{c_int, c_ulong};

use super::edge::{CallSite, edge};
use super::types::percpu_ref;
use crate::PercpuRef;

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_get_many() without this CPU's counter: right in either mode. It and the next ones are
/// for Range, Misuse, Ordering, Threads and Returns what the functions are that they are named after.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_percpu_ref_get_slow(
    r#ref: *mut percpu_ref,
    nr: c_ulong,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a live percpu_ref.
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
    // SAFETY: the C caller guarantees a live percpu_ref, and its own references on it.
    unsafe { PercpuRef::put_slow(percpu_ref::as_non_null(r#ref), nr as usize, call.into()) };
}
edge!(percpu_ref_put_slow = at_percpu_ref_put_slow, 2);

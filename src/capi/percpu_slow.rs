//! The other halves of the functions that kref/percpu.h gives the compiler to inline: for where a
//! sequence cannot count, or gave up.

use core::ffi::{c_int, c_ulong};

use super::types::{or_null, percpu_ref, percpu_ref_slot};
use crate::PercpuRef;

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_get_many() without this CPU's counter: right in either mode. It and the next ones are
/// for Range, Misuse, Ordering, Threads and Returns what the functions are that they are named after.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_get_slow(r#ref: *mut percpu_ref, nr: c_ulong) {
    // SAFETY: the C caller guarantees a live percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.get_slow(nr as usize);
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_tryget_many() without this CPU's counter.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_tryget_slow(r#ref: *mut percpu_ref, nr: c_ulong) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_slow(nr as usize).into()
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_tryget_live() without this CPU's counter.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_tryget_live_slow(r#ref: *mut percpu_ref) -> c_int {
    // SAFETY: the C caller guarantees that the memory is still a percpu_ref.
    unsafe { percpu_ref::as_percpu(r#ref) }.tryget_live_slow().into()
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_put_many() without this CPU's counter.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_put_slow(r#ref: *mut percpu_ref, nr: c_ulong) {
    // SAFETY: the C caller guarantees a live percpu_ref, and its own references on it.
    unsafe { PercpuRef::put_slow(percpu_ref::as_non_null(r#ref), nr as usize) };
}

/// cbindgen:postfix=KREF_NONNULL KREF_COLD
/// percpu_ref_slot_get(), from the start.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_slot_get_slow(slot: *mut percpu_ref_slot) -> *mut percpu_ref {
    // SAFETY: the C caller guarantees a live slot, filled by percpu_ref_slot_replace() alone.
    or_null(unsafe { percpu_ref_slot::as_slot(slot).get() })
}

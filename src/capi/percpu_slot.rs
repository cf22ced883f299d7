//! The slot for a percpu_ref: a published pointer.

use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{or_null, percpu_ref, percpu_ref_slot};

/// cbindgen:postfix=KREF_NONNULL
/// Make a new slot empty, as PERCPU_REF_SLOT_INIT does.
///
/// Range:    a new slot, or one that is empty.
/// Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
///           reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_slot_init(slot: *mut percpu_ref_slot) {
    // SAFETY: the C caller guarantees memory for a slot.
    unsafe { percpu_ref_slot::as_slot(slot) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on the published percpu_ref, in one step: rule 3.
///
/// Misuse:   if the published percpu_ref was put once too often, or was freed, its count may be
///           zero: a violation is reported, and NULL is returned.
/// Ordering: acquire: the caller sees what was done to the object before percpu_ref_slot_replace()
///           published it.
/// Threads:  not in a signal handler, because the function may take a lock for a short time.
/// Returns:  the percpu_ref, with a reference that the caller holds now and must give back; NULL if
///           the slot is empty. The percpu_ref may have been killed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_slot_get(
    slot: *mut percpu_ref_slot,
    call: CallSite,
) -> *mut percpu_ref {
    // SAFETY: the C caller guarantees a valid slot, which only percpu_ref_slot_replace() has filled.
    or_null(unsafe { percpu_ref_slot::as_slot(slot).get_from(call.into()) })
}
edge!(percpu_ref_slot_get = at_percpu_ref_slot_get, 1);
edge!(percpu_ref_slot_get_slow = at_percpu_ref_slot_get, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Publish next, or nothing, and return the old percpu_ref. The slot takes over the caller's
/// reference on next. The caller takes over the slot's reference on the old one. This is usually the
/// initial reference: give it back with percpu_ref_kill().
///
/// Range:    next may be NULL; then the slot becomes empty.
/// Misuse:   if the result is ignored, the old object leaks; compilers warn. If the kernel refuses
///           the membarrier, a violation is reported, and the old object leaks.
/// Ordering: release for next, acquire for the old percpu_ref.
/// Threads:  not in a signal handler, because the function takes a lock for a short time. Unless the
///           slot was empty, the function makes a membarrier, which takes some microseconds.
/// Returns:  the old percpu_ref, with a reference that the caller holds now; NULL if the slot was
///           empty.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_slot_replace(
    slot: *mut percpu_ref_slot,
    next: *mut percpu_ref,
    call: CallSite,
) -> *mut percpu_ref {
    // SAFETY: the C caller guarantees a valid slot, and gives its reference on next to the slot.
    or_null(unsafe {
        percpu_ref_slot::as_slot(slot).replace_from(NonNull::new(next.cast()), call.into())
    })
}
edge!(percpu_ref_slot_replace = at_percpu_ref_slot_replace, 2);

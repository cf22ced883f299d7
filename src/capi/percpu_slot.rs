//! The published percpu reference.

use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{or_null, percpu_ref, percpu_ref_slot};

/// cbindgen:postfix=KREF_NONNULL
/// Make a slot empty that was never used, as PERCPU_REF_SLOT_INIT does.
///
/// Range:    a new slot, or one that is empty.
/// Misuse:   on a slot that publishes something, the slot's reference is forgotten.
/// Ordering: relaxed. What shows the slot to others later must order it.
/// Threads:  one, before the slot is shared. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn percpu_ref_slot_init(slot: *mut percpu_ref_slot) {
    // SAFETY: the C caller guarantees memory for a slot.
    unsafe { percpu_ref_slot::as_slot(slot) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on what the slot publishes, in one step that no last put splits: rule 3.
///
/// Range:    any slot that was initialised.
/// Misuse:   one that somebody has put once too often, or that was freed, may be at zero: a violation
///           is reported, and NULL is returned.
/// Ordering: acquire: whatever was done to the object before percpu_ref_slot_replace() published it
///           is seen.
/// Threads:  any. Signal handlers: no, it may take a lock for a moment.
/// Returns:  the percpu_ref, with a reference that is now the caller's to put, or NULL if the slot is
///           empty. It may be dying.
/// Defined:  here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_slot_get(
    slot: *mut percpu_ref_slot,
    call: CallSite,
) -> *mut percpu_ref {
    // SAFETY: the C caller guarantees a live slot, filled by percpu_ref_slot_replace() alone.
    or_null(unsafe { percpu_ref_slot::as_slot(slot).get_from(call.into()) })
}
edge!(percpu_ref_slot_get = at_percpu_ref_slot_get, 1);
edge!(percpu_ref_slot_get_slow = at_percpu_ref_slot_get, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Publish next, or nothing, and take down what was published. The slot takes over the caller's
/// reference on next; the caller takes over the slot's reference on the old one. As a rule that is
/// the initial one: give it back by percpu_ref_kill().
///
/// Range:    next may be NULL: the slot is empty then.
/// Misuse:   a result that is thrown away is a leak, and a warning of the compiler's. If the kernel
///           refuses the membarrier: reported, and the old object leaks.
/// Ordering: release for next, acquire for the old one.
/// Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier unless the
///           slot was empty.
/// Returns:  what was published, with a reference that is now the caller's, or NULL.
/// Defined:  here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_percpu_ref_slot_replace(
    slot: *mut percpu_ref_slot,
    next: *mut percpu_ref,
    call: CallSite,
) -> *mut percpu_ref {
    // SAFETY: the C caller guarantees a live slot, and gives up its reference on next.
    or_null(unsafe {
        percpu_ref_slot::as_slot(slot).replace_from(NonNull::new(next.cast()), call.into())
    })
}
edge!(percpu_ref_slot_replace = at_percpu_ref_slot_replace, 2);

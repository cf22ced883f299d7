//! The published pointer.

use core::ffi::c_int;
use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{kref, kref_slot, or_null};

/// cbindgen:postfix=KREF_NONNULL
/// Make a slot empty that was never used, as KREF_SLOT_INIT does.
///
/// Range:    a new slot, or one that is empty.
/// Misuse:   on a slot that publishes something, the slot's reference is forgotten.
/// Ordering: relaxed. What shows the slot to others later must order it.
/// Threads:  one, before the slot is shared. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_slot_init(slot: *mut kref_slot) {
    // SAFETY: the C caller guarantees memory for a slot.
    unsafe { kref_slot::as_slot(slot) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on what the slot publishes, in one step that no last put splits: rule 3.
///
/// Range:    any slot that was initialised.
/// Misuse:   an object that somebody has put once too often may have a count of zero: the count
///           saturates, a violation is reported, and NULL is returned. At INT_MAX, or saturated:
///           the count saturates, a violation is reported, and the object is returned.
/// Ordering: acquire: whatever was done to the object before kref_slot_replace() published it is
///           seen.
/// Threads:  any. Signal handlers: no, it may take a lock for a moment.
/// Returns:  the kref, with a reference that is now the caller's to put, or NULL if the slot is
///           empty.
/// Defined:  here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_slot_get(slot: *mut kref_slot, call: CallSite) -> *mut kref {
    // SAFETY: the C caller guarantees a live slot, filled by kref_slot_replace() alone.
    or_null(unsafe { kref_slot::as_slot(slot).get_from(call.into()) })
}
edge!(kref_slot_get = at_kref_slot_get, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Publish next, or nothing, and take down what was published. The slot takes over the caller's
/// reference on next; the caller takes over the slot's reference on the old object, to put it.
///
/// Range:    next may be NULL: the slot is empty then.
/// Misuse:   a result that is thrown away is a leak, and a warning of the compiler's. If the kernel
///           refuses the membarrier: reported, and the old object leaks.
/// Ordering: release for next, acquire for the old object.
/// Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier, some
///           microseconds, unless the slot was empty.
/// Returns:  what was published, with a reference that is now the caller's to put, or NULL.
/// Defined:  here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_slot_replace(
    slot: *mut kref_slot,
    next: *mut kref,
    call: CallSite,
) -> *mut kref {
    // SAFETY: the C caller guarantees a live slot, and gives up its reference on next.
    or_null(unsafe {
        kref_slot::as_slot(slot).replace_from(NonNull::new(next.cast()), call.into())
    })
}
edge!(kref_slot_replace = at_kref_slot_replace, 2);

/// Whether this thread's lookups in slots need no lock, and its gets and puts of a percpu_ref no atomic
/// operation: whether it has restartable sequences. If not, they take the slower ways, which are as
/// right.
///
/// Range:    none.
/// Misuse:   none.
/// Ordering: none.
/// Threads:  any; the answer is the calling thread's. Signal handlers: no.
/// Returns:  1 or 0. 0 with another processor than x86-64 or another libc than glibc 2.35 or later,
///           under valgrind, with GLIBC_TUNABLES=glibc.pthread.rseq=0, and where a filter refuses
///           membarrier().
/// Defined:  here.
#[unsafe(no_mangle)]
pub extern "C" fn kref_rseq_available() -> c_int {
    crate::rseq_available().into()
}

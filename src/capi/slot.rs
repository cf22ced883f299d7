//! The slot: a published pointer to a kref.

use core::ffi::c_int;
use core::ptr::NonNull;

use super::edge::{CallSite, edge};
use super::types::{kref, kref_slot, or_null};

/// cbindgen:postfix=KREF_NONNULL
/// Make a new slot empty, as KREF_SLOT_INIT does.
///
/// Range:    a new slot, or one that is empty.
/// Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
///           reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_slot_init(slot: *mut kref_slot) {
    // SAFETY: the C caller guarantees memory for a slot.
    unsafe { kref_slot::as_slot(slot) }.init();
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on the published object, in one step: rule 3.
///
/// Misuse:   if the published object was put once too often, its count may be zero, or it may be
///           freed memory that is all zero: then NULL is returned. If the count has too many
///           references or is saturated, the kref is returned.
/// Ordering: acquire: the caller sees what was done to the object before kref_slot_replace()
///           published it.
/// Threads:  not in a signal handler, because the function may take a lock for a short time.
/// Returns:  the kref, with a reference that the caller holds now and must give back; NULL if the
///           slot is empty.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_slot_get(slot: *mut kref_slot, call: CallSite) -> *mut kref {
    // SAFETY: the C caller guarantees a valid slot, which only kref_slot_replace() has filled.
    or_null(unsafe { kref_slot::as_slot(slot).get_from(call.into()) })
}
edge!(kref_slot_get = at_kref_slot_get, 1);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// Publish next, or nothing, and return the old object. The slot takes over the caller's reference
/// on next. The caller takes over the slot's reference on the old object, and gives it back.
///
/// Range:    next may be NULL; then the slot becomes empty.
/// Misuse:   if the result is ignored, the old object leaks; compilers warn. If the kernel refuses
///           the membarrier, a violation is reported, and the old object leaks.
/// Ordering: release for next, acquire for the old object.
/// Threads:  not in a signal handler, because the function takes a lock for a short time. Unless the
///           slot was empty, the function makes a membarrier, which takes some microseconds.
/// Returns:  the old kref, with a reference that the caller holds now and must give back; NULL if
///           the slot was empty.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_slot_replace(
    slot: *mut kref_slot,
    next: *mut kref,
    call: CallSite,
) -> *mut kref {
    // SAFETY: the C caller guarantees a valid slot, and gives its reference on next to the slot.
    or_null(unsafe {
        kref_slot::as_slot(slot).replace_from(NonNull::new(next.cast()), call.into())
    })
}
edge!(kref_slot_replace = at_kref_slot_replace, 2);

/// Whether this thread has restartable sequences. If it has, its gets from a slot take no lock, and
/// its gets and puts of a percpu_ref make no atomic operation. If not, these functions give the same
/// results, but are slower; but see above for a thread that clone() made. Asks the kernel: one system
/// call, rseq().
///
/// Threads:  not in a signal handler. The answer is for the calling thread.
/// Returns:  1 or 0. 1 needs x86-64, aarch64 or riscv64; glibc 2.35 or later (riscv64: 2.41), or musl
///           on x86-64; and Linux 5.10 or later (riscv64: 6.9 or 6.6.51; aarch64: not 6.19 to
///           7.0.13). 0 also under valgrind; with GLIBC_TUNABLES=glibc.pthread.rseq=0; if a seccomp
///           filter refuses membarrier(); if kref-track tracks the program without sample=1/N; and on
///           a thread that clone() made.
#[unsafe(no_mangle)]
pub extern "C" fn kref_rseq_available() -> c_int {
    crate::rseq_available().into()
}

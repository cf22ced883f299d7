//! Who is told of every get and put.

use core::ffi::{c_char, c_int};

use super::edge::{CallSite, edge};
use super::slow::{at_kref_get_slow, finish_put};
use super::types::{kref, kref_tracker};
use crate::count::Lowered;
use crate::{Kref, set_tracker, tracker};

/// Set who is told of objects from now on: of each that kref_init() begins, and to which created()
/// says yes, whatever is done to its references.
///
/// Range:    tracker may be NULL: nobody. Objects made from now on are not tracked then; those that
///           are go on counting, and nobody is told. Objects made before are not tracked, nor are
///           those that KREF_INIT() makes, or kref_count_set().
/// Misuse:   a size that no table has is refused. The table, and the code of its functions, must stay
///           for good, also when another is set.
/// Ordering: release; whoever is told sees what was done before this call.
/// Threads:  any; the old table may still be used when this returns. Signal handlers: yes.
/// Returns:  0, or -EINVAL.
/// Defined:  here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_set_tracker(tracker: *const kref_tracker) -> c_int {
    // SAFETY: `kref_tracker` and `Tracker` are one layout by two names. The C caller guarantees a
    // table that stays, and functions that may be called as documented.
    if unsafe { set_tracker(tracker.cast()) } { 0 } else { -libc::EINVAL }
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// kref_get() by a holder with a name: what is to hold the reference, as "cache". A tracker that finds
/// the reference left over can say who has it. Where nobody tracks it costs what kref_get() costs.
///
/// Range:    as for kref_get(). holder may be NULL, which is nobody with a name; otherwise it is a
///           string that outlives the reference.
/// Misuse:   as for kref_get().
/// Ordering: relaxed, as in kref_get().
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing; it cannot fail.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_get_as(kref: *mut kref, holder: *const c_char, call: CallSite) {
    // SAFETY: the C caller guarantees a live kref.
    unsafe {
        if !kref::as_kref(kref).raise() {
            at_kref_get_slow(kref, holder, call);
        }
    }
}
edge!(kref_get_as = at_kref_get_as, 2);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 2))
/// kref_put() by a holder with a name, the one of its kref_get_as().
///
/// Range:    as for kref_put(). holder may be NULL, as for kref_get_as(): what kref_init() gave has no
///           name.
/// Misuse:   as for kref_put(). A holder that holds nothing is for the tracker to complain of.
/// Ordering: release; and before release() runs, acquire, as in kref_put().
/// Threads:  any. Signal handlers: if release() may run there.
/// Returns:  1 if this was the last reference and release() has run, otherwise 0.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_as(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    holder: *const c_char,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live kref, its own reference on it, and that release may
    // be called with it.
    unsafe {
        match Kref::lower(kref::as_non_null(kref)) {
            Lowered::Alive => 0,
            lowered => finish_put(kref, release, holder, call, lowered),
        }
    }
}
edge!(kref_put_as = at_kref_put_as, 3);

/// Write a report of what is referenced now.
///
/// Range:    fd is open for writing.
/// Misuse:   what cannot be written is lost.
/// Ordering: none.
/// Threads:  any. Signal handlers: the tracker's documentation says; libkref_track.so: no.
/// Returns:  0, or -ENOTSUP if nobody tracks who reports.
/// Defined:  here.
#[unsafe(no_mangle)]
pub extern "C" fn kref_track_report(fd: c_int) -> c_int {
    if tracker::write_report(fd) { 0 } else { -libc::ENOTSUP }
}

/// Remember what is referenced now: reports from now on, the one at exit too, are of what came since.
///
/// Range:    none.
/// Misuse:   none.
/// Ordering: none.
/// Threads:  any. Signal handlers: the tracker's documentation says; libkref_track.so: no.
/// Returns:  0, or -ENOTSUP if nobody tracks who has checkpoints.
/// Defined:  here.
#[unsafe(no_mangle)]
pub extern "C" fn kref_track_checkpoint() -> c_int {
    if tracker::checkpoint() { 0 } else { -libc::ENOTSUP }
}

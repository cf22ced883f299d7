//! The tracker, and gets and puts with a holder's name.

use core::ffi::{c_char, c_int, c_uint};

use super::edge::{CallSite, edge};
use super::inline::{at_kref_get_slow, finish_put};
use super::types::{kref, kref_tracker};
use crate::count::Lowered;
use crate::{Kref, set_tracker, tracker};

/// Set the tracker. From now on kref_init(), kref_count_set() and kref_pool_publish() call created() for
/// each new object. If the result is not 0, the object is tracked: the other functions are called for
/// each of its gets and puts.
///
/// Range:    tracker may be NULL, for no tracker: then new objects are not tracked, and objects that
///           are tracked already keep their counts, but no function is called for them. Objects that
///           were initialised before this call are not tracked, and neither are those that
///           KREF_INIT() initialises, or kref_count_set() with more than 1024 references.
/// Misuse:   if tracker->size is impossible, -EINVAL is returned. The struct and the code of its
///           functions must stay in memory until the process ends, even after another tracker is set.
/// Ordering: release; a thread that calls a function of the struct sees what was done before this
///           call.
/// Threads:  when this returns, another thread may still be using the old struct.
/// Returns:  0, or -EINVAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_set_tracker(tracker: *const kref_tracker) -> c_int {
    // SAFETY: `kref_tracker` and `Tracker` have the same layout. The C caller guarantees that the table
    // stays valid, and that its functions may be called as documented.
    if unsafe { set_tracker(tracker.cast()) } { 0 } else { -libc::EINVAL }
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// kref_init() with the name of the object's type, such as "session". The tracker's reports name the
/// object so from its first moment. Without a tracker this is as fast as kref_init(). KREF_DEFINE()
/// does it for you.
///
/// Range:    type may be NULL, for a type without a name; otherwise the string stays valid until the
///           call returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_init_as(kref: *mut kref, r#type: *const c_char) {
    // SAFETY: the C caller guarantees memory for a kref.
    unsafe { kref::as_kref(kref) }.init_as(r#type);
}

/// cbindgen:postfix=KREF_NONNULL_ARGS((1))
/// kref_get() with a name for the holder of the new reference, such as "cache". If the reference is
/// never given back, the tracker can report the name. Without a tracker this is as fast as
/// kref_get().
///
/// Range:    holder may be NULL, for a holder without a name; otherwise the string stays valid until
///           the reference is given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_get_as(kref: *mut kref, holder: *const c_char, call: CallSite) {
    // SAFETY: the C caller guarantees a valid kref.
    unsafe {
        if !kref::as_kref(kref).raise() {
            at_kref_get_slow(kref, holder, call);
        }
    }
}
edge!(kref_get_as = at_kref_get_as, 2);

/// cbindgen:postfix=KREF_NONNULL_ARGS((1, 2))
/// kref_put() with the name of the holder, as given to kref_get_as().
///
/// Range:    holder may be NULL, as for kref_get_as(). The reference from kref_init() has a holder
///           without a name.
/// Misuse:   if no holder of this name has a reference, the tracker reports that.
/// Returns:  1 if this was the last reference and release() has run, otherwise 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_put_as(
    kref: *mut kref,
    release: unsafe extern "C" fn(kref: *mut kref),
    holder: *const c_char,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees that it holds a reference on a valid kref, and that release may
    // be called with the kref.
    unsafe {
        match Kref::lower(kref::as_non_null(kref)) {
            Lowered::Alive => 0,
            lowered => finish_put(kref, release, holder, call, lowered),
        }
    }
}
edge!(kref_put_as = at_kref_put_as, 3);

/// Make the tracker write a report of the references that are held now.
///
/// Range:    fd is open for writing.
/// Misuse:   if fd cannot be written to, the report is lost.
/// Threads:  with libkref_track.so, also in a signal handler. If the handler interrupts another call of
///           kref_track_report(), there is no second report.
/// Returns:  0, or -ENOTSUP if there is no tracker, or if it has no reports.
#[unsafe(no_mangle)]
pub extern "C" fn kref_track_report(fd: c_int) -> c_int {
    if tracker::write_report(fd) { 0 } else { -libc::ENOTSUP }
}

/// Set a checkpoint: later reports, also the one at exit, show only references that were taken after
/// it.
///
/// Threads:  with libkref_track.so, also in a signal handler.
/// Returns:  0, or -ENOTSUP if there is no tracker, or if it has no checkpoints.
#[unsafe(no_mangle)]
pub extern "C" fn kref_track_checkpoint() -> c_int {
    if tracker::checkpoint() { 0 } else { -libc::ENOTSUP }
}

/// Begin a region that must leave no reference behind: the work for one request, for example. Without a
/// tracker this does nothing. kref_balance_end() says what counts.
///
/// Range:    type may be NULL: then the region looks at references on all objects. Otherwise it looks at
///           objects of one type, by its name: that of kref_init_as() or KREF_DEFINE(), or the release
///           function's. The string stays valid until the call returns.
/// Threads:  the region is the calling thread's. Other threads may have regions at the same time, and a
///           region may be inside another one.
#[unsafe(no_mangle)]
pub extern "C" fn kref_balance_begin(r#type: *const c_char) {
    tracker::balance(true, r#type);
}

/// End the region that the calling thread began last. A reference is left behind if this thread took it in the
/// region, and it is still held now: by kref_init() as well as by a get. If this thread took as many references
/// on an object as it gave back in the region, it left none behind on this object. The tracker reports those
/// left behind, with the place of kref_balance_begin().
///
/// Misuse:   without a kref_balance_begin() in this thread there is nothing to end: 0 is returned.
/// Threads:  the thread waits for the tracker. A reference that another thread takes is not counted.
/// Returns:  the number of references left behind. 0 without a tracker, or if it has no regions.
#[unsafe(no_mangle)]
pub extern "C" fn kref_balance_end() -> c_uint {
    tracker::balance(false, core::ptr::null())
}

//! Rule 3 under a lock: a lookup that takes a reference.

use core::ptr::{self, NonNull};

use crate::kind::{Caller, Violation};
use crate::kref::Kref;
use crate::report::{or_report, report};
use crate::sys::lock::RawLock;

/// Finds an object and takes a reference, while the lock keeps every last put away.
///
/// `find` runs with `lock` held, and must not unwind, because the lock would stay held. An object
/// whose count has reached zero is not found: its release function only waits for the lock to take
/// the object out of the table. If the lock cannot be taken, a violation is reported and the result is
/// `None`.
///
/// # Safety
/// What `find` returns stays allocated as long as the lock is held.
#[inline]
#[track_caller]
pub unsafe fn lookup_locked<L: RawLock + ?Sized>(
    lock: &L,
    find: impl FnOnce() -> Option<NonNull<Kref>>,
) -> Option<NonNull<Kref>> {
    // SAFETY: as promised.
    unsafe { lookup_locked_from(lock, find, Caller::here()) }
}

/// # Safety
/// As for [`lookup_locked`].
#[inline]
pub(crate) unsafe fn lookup_locked_from<L: RawLock + ?Sized>(
    lock: &L,
    find: impl FnOnce() -> Option<NonNull<Kref>>,
    caller: Caller,
) -> Option<NonNull<Kref>> {
    if lock.lock().is_err() {
        report(Violation::LockFailed, ptr::null(), caller);
        return None;
    }
    let found = find();
    // SAFETY: allocated while the lock is held, as the caller promises.
    let taken = found.map(|kref| unsafe { kref.as_ref() }.try_get_unless_zero());
    // SAFETY: taken above.
    unsafe { lock.unlock() };
    // The report comes after the unlock: a violation handler may take the lock. A saturated object
    // leaks, so the caller may have it.
    let found = found?;
    or_report(taken?, found.as_ptr(), true, caller).then_some(found)
}

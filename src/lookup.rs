//! Rule 3 with a lock: a lookup that takes a reference.

use core::ptr::{self, NonNull};

use crate::kind::{Caller, ViolationKind};
use crate::kref::Kref;
use crate::report::{or_report, report};
use crate::sys::lock::RawLock;

/// Finds an object and takes a reference on it, both under `lock`.
///
/// `find` runs with `lock` held. It must not unwind, because then the lock would stay held. If the
/// count of the found object is zero, the result is `None`: the object's release function is waiting
/// for the lock, to take the object out of the table. If the lock cannot be taken, a violation is
/// reported and the result is `None`.
///
/// # Safety
/// The object that `find` returns is not freed as long as the lock is held.
#[inline]
#[track_caller]
pub unsafe fn lookup_locked(
    lock: &dyn RawLock,
    find: impl FnOnce() -> Option<NonNull<Kref>>,
) -> Option<NonNull<Kref>> {
    // SAFETY: as promised.
    unsafe { lookup_locked_from(lock, find, Caller::here()) }
}

/// # Safety
/// As for [`lookup_locked`].
#[inline]
pub(crate) unsafe fn lookup_locked_from(
    lock: &dyn RawLock,
    find: impl FnOnce() -> Option<NonNull<Kref>>,
    caller: Caller,
) -> Option<NonNull<Kref>> {
    if lock.lock().is_err() {
        report(ViolationKind::LockFailed, ptr::null(), caller);
        return None;
    }
    let found = find();
    let taken = found.map(|kref| {
        // SAFETY: the object is not freed while the lock is held, as the caller promises.
        let kref = unsafe { kref.as_ref() };
        if kref.get_alive() {
            return Ok((true, None));
        }
        let then = kref.get_untold()?;
        Ok((then.is_some(), then))
    });
    // SAFETY: taken above.
    unsafe { lock.unlock() };
    // Tell the tracker after the unlock, because other threads wait for the lock. Report after the unlock, because a
    // violation handler may take the same lock. The reference keeps the object alive. A saturated object is never freed, so
    // the caller may use it, too.
    let found = found?;
    let taken = taken?.map(|(is_taken, then)| {
        if then.is_some() {
            // SAFETY: the reference was taken above.
            unsafe { found.as_ref() }.tell_got(then, ptr::null());
        }
        is_taken
    });
    or_report(taken, found.as_ptr(), true, caller).then_some(found)
}

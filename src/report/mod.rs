//! Reports of violations. A report calls the tracker first, and then the violation handler.
//!
//! [`handler`] has the violation handler that the program has set. [`warning`] is the default handler,
//! which writes one line to standard error. [`place`] finds the file that contains a code address, and
//! [`module`] makes a number of this file's path.
//!
//! An operation that misuses a count returns an `Err(ViolationKind)`. The outermost function of the
//! operation knows the caller, and calls [`or_report`] once. By then the count is saturated. A report
//! does not allocate and takes no lock, because a signal handler may misuse a count too.

mod handler;
mod module;
mod place;
mod warning;

use core::ffi::c_void;

#[cfg(feature = "fuzzing")]
pub use place::find_place;

use crate::kind::{Caller, Handler, Violation, ViolationKind};
use crate::tracker;

/// Sets the violation handler, and the `context` that it receives. `None` sets the default handler, which
/// writes a line to standard error, or does what `KREF_OPTIONS` says.
///
/// Allocates memory for a handler or a context that was not set before, so do not call this function in a
/// signal handler. When this function has returned, another thread may still be in the old handler.
///
/// # Safety
/// Any thread may call `handler` with `context`, also in a signal handler.
pub unsafe fn set_violation_handler(handler: Option<Handler>, context: *mut c_void) {
    handler::set(handler, context);
}

/// The result of an operation on `count`. If the operation was a violation, reports the violation and
/// returns `otherwise`.
#[inline(always)]
pub(crate) fn or_report<T, C>(
    result: Result<T, ViolationKind>,
    count: *const C,
    otherwise: T,
    caller: Caller,
) -> T {
    match result {
        Ok(result) => result,
        Err(kind) => {
            report(kind, count.cast(), caller);
            otherwise
        }
    }
}

/// Reports a violation to the tracker and to the handler.
#[cold]
#[inline(never)]
pub(crate) fn report(kind: ViolationKind, count: *const c_void, caller: Caller) {
    let violation = Violation::new(kind, count, caller);
    tracker::violated(&violation);
    match handler::current() {
        // SAFETY: the caller of `set_violation_handler` promised that the handler may be called so.
        Some((handler, context)) => unsafe { handler(&violation, context) },
        None => warning::warn(&violation),
    }
}

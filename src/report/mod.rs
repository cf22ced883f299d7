//! Who is told of misuse: the tracker, then the handler of the program's choice or the default one.
//!
//! [`handler`] holds the program's choice. [`warning`] is the default handler: one line on standard
//! error. [`place`] finds the file that a code address belongs to, [`module`] a number for that file.
//!
//! Operations return `Result<T, Violation>`. The outermost function of an operation knows the caller
//! and calls [`or_report`], once. By then the count is saturated and harmless. Nothing here
//! allocates or takes a lock, so a signal handler may use, and misuse, a count.

mod handler;
mod module;
mod place;
mod warning;

use core::ffi::c_void;

use crate::kind::{Caller, Handler, Report, Violation};
use crate::tracker;

/// Sets the violation handler, and the `context` that it receives. `None` is the default handler,
/// which writes a line to standard error and obeys `KREF_OPTIONS`.
///
/// # Safety
/// Any thread may call `handler` with `context`, in a signal handler too. A thread may still be in
/// the old handler after this function has returned.
pub unsafe fn set_violation_handler(handler: Option<Handler>, context: *mut c_void) {
    handler::set(handler, context);
}

/// The result of an operation on `count`; after a violation, reports it and returns `otherwise`.
#[inline(always)]
pub(crate) fn or_report<T, C>(
    result: Result<T, Violation>,
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
pub(crate) fn report(kind: Violation, count: *const c_void, caller: Caller) {
    let report = Report::new(kind, count, caller);
    tracker::violated(&report);
    match handler::current() {
        // SAFETY: whoever set the handler promised that it may be called with this context.
        Some((handler, context)) => unsafe { handler(&report, context) },
        None => warning::warn(&report),
    }
}

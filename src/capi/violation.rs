//! The violation handler.

use core::ffi::c_void;
use core::mem;

use super::types::kref_violation_handler;
use crate::{Handler, set_violation_handler};

/// Set the violation handler, which is called for each violation from now on. Before the handler is
/// called, the count is saturated already.
///
/// Range:    handler may be NULL, for the default handler. context is passed to the handler.
/// Misuse:   a handler that uses the same count again causes a violation, which calls the handler
///           again, without end. Before the code of a handler is unloaded, another handler must be
///           set, and no thread may still be in the old one. If there is no memory for a new
///           handler, a line says so, and the old handler stays set.
/// Ordering: release; a thread that calls the handler sees what was done before this call.
/// Threads:  not in a signal handler. When this returns, another thread may still be in the old
///           handler. The function takes no lock, so it may be called in the child of a fork. Each
///           new pair of handler and context takes some bytes of memory, which are never freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_set_violation_handler(
    handler: kref_violation_handler,
    context: *mut c_void,
) {
    // SAFETY: the members of `kref_violation` are the first members of `Violation`. The C caller
    // guarantees that the handler may be called as documented.
    unsafe {
        let handler = mem::transmute::<kref_violation_handler, Option<Handler>>(handler);
        set_violation_handler(handler, context);
    }
}

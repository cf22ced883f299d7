//! Who is told.

use core::ffi::c_void;
use core::mem;

use super::types::kref_violation_handler;
use crate::{Handler, set_violation_handler};

/// Set who is told of violations from now on. The count is saturated, and harmless, before the
/// handler is called. The default handler writes a line to standard error for each kind and calling
/// address, the first time; KREF_OPTIONS=on_violation=abort or quiet changes that. Standard error is
/// descriptor 2, whatever the program has opened there. A line that cannot be written is dropped,
/// and raises no SIGPIPE.
///
/// Range:    handler may be NULL: the default again. context is for the handler alone.
/// Misuse:   a handler that uses the count it is told about is told again, without end. One whose
///           code is to be unloaded must be replaced before, and no thread be in it still.
/// Ordering: release; a thread that is told sees what was done before this call.
/// Threads:  any; another may still be in the old handler when this returns. Signal handlers: no,
///           it takes a lock for a moment (to be told takes none). Nor in the child of a fork of a
///           multithreaded program, which may find that lock taken for ever.
/// Returns:  nothing.
/// Defined:  here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_set_violation_handler(
    handler: kref_violation_handler,
    context: *mut c_void,
) {
    // SAFETY: `kref_violation` and `Report` are one layout by two names. The C caller guarantees a
    // handler that may be called as documented.
    unsafe {
        let handler = mem::transmute::<kref_violation_handler, Option<Handler>>(handler);
        set_violation_handler(handler, context);
    }
}

//! The violations that the library reports.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;

use kref::{Violation, ViolationKind, set_violation_handler};

static TOLD: Mutex<Vec<ViolationKind>> = Mutex::new(Vec::new());

unsafe extern "C" fn remember(violation: *const Violation, _: *mut c_void) {
    // SAFETY: the library's violation is valid during the call.
    TOLD.lock().expect("no panic").push(unsafe { (*violation).kind });
}

/// The result of `work`, and the violations that it reports.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, Vec<ViolationKind>) {
    // SAFETY: the handler may be called by any thread.
    unsafe { set_violation_handler(Some(remember), null_mut()) };
    let result = work();
    (result, std::mem::take(&mut TOLD.lock().expect("no panic")))
}

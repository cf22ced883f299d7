//! Announces orderings to ThreadSanitizer, if the program is linked with it.
//!
//! ThreadSanitizer does not see the atomic operations of an installed libkref, which is not
//! instrumented. kref/tsan.h announces the orderings of most operations. It cannot announce those
//! around a function of the program that libkref calls, such as a release function. This module does.

use crate::sys::weak::weak;

/// Announces an acquire at `address`: what other threads did before they announced a release at `address`
/// happens before what this thread does next.
pub(crate) fn acquire<T>(address: *const T) {
    announce(weak!("__tsan_acquire"), address.cast());
}

/// Announces a release at `address`: what this thread has done happens before what other threads do
/// after they announce an acquire at `address`.
pub(crate) fn release<T>(address: *const T) {
    announce(weak!("__tsan_release"), address.cast());
}

/// Calls a function of ThreadSanitizer. The pointer is null in a program without ThreadSanitizer.
#[inline(always)]
fn announce(function: *const (), address: *const ()) {
    if !function.is_null() {
        // SAFETY: the two functions of ThreadSanitizer have this type, and take any address.
        unsafe { core::mem::transmute::<*const (), extern "C" fn(*const ())>(function)(address) };
    }
}

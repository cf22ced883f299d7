//! Announces orderings to ThreadSanitizer, if the program is linked with it.
//!
//! ThreadSanitizer does not see the atomic operations of an installed libkref, which is not
//! instrumented. kref/tsan.h announces the orderings of most operations. It cannot announce those
//! around a function of the program that libkref calls, such as a release function. This module does.

/// Announces an acquire at `address`: what other threads did before they announced a release at `address`
/// happens before what this thread does next.
pub(crate) fn acquire<T>(address: *const T) {
    imp::acquire(address.cast());
}

/// Announces a release at `address`: what this thread has done happens before what other threads do
/// after they announce an acquire at `address`.
pub(crate) fn release<T>(address: *const T) {
    imp::release(address.cast());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(any(loom, miri))))]
mod imp {
    use crate::sys::weak::weak;

    pub(super) fn acquire(address: *const ()) {
        announce(weak!("__tsan_acquire"), address);
    }

    pub(super) fn release(address: *const ()) {
        announce(weak!("__tsan_release"), address);
    }

    /// Calls a function of ThreadSanitizer. The pointer is null in a program without ThreadSanitizer.
    #[inline(always)]
    fn announce(function: *const (), address: *const ()) {
        if !function.is_null() {
            // SAFETY: the two functions of ThreadSanitizer have this type, and take any address.
            unsafe {
                core::mem::transmute::<*const (), extern "C" fn(*const ())>(function)(address)
            };
        }
    }
}

/// Without weak references libkref cannot find ThreadSanitizer's functions, so nothing is announced.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(any(loom, miri)))))]
mod imp {
    pub(super) fn acquire(_: *const ()) {}
    pub(super) fn release(_: *const ()) {}
}

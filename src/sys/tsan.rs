//! Announcements to ThreadSanitizer, if the program has it.
//!
//! ThreadSanitizer does not see the atomic operations of an uninstrumented libkref. kref/tsan.h
//! announces most of their orderings. This module announces the orderings around callbacks from
//! libkref into the program, where the header cannot.

/// Everything that other threads have announced as released at `address` happens before what this
/// thread does next.
pub(crate) fn acquire<T>(address: *const T) {
    imp::acquire(address.cast());
}

/// What this thread has done happens before what other threads do after they announce an acquire at
/// `address`.
pub(crate) fn release<T>(address: *const T) {
    imp::release(address.cast());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(loom)))]
mod imp {
    use crate::sys::weak::weak;

    pub(super) fn acquire(address: *const ()) {
        announce(weak!("__tsan_acquire"), address);
    }

    pub(super) fn release(address: *const ()) {
        announce(weak!("__tsan_release"), address);
    }

    /// Calls one of ThreadSanitizer's functions. The function is null in a program without it.
    #[inline(always)]
    fn announce(function: *const (), address: *const ()) {
        if !function.is_null() {
            // SAFETY: ThreadSanitizer's functions have this type and take any address.
            unsafe {
                core::mem::transmute::<*const (), extern "C" fn(*const ())>(function)(address)
            };
        }
    }
}

/// Without weak references there is no way to find ThreadSanitizer's functions.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(loom))))]
mod imp {
    pub(super) fn acquire(_: *const ()) {}
    pub(super) fn release(_: *const ()) {}
}

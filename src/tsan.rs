//! Tells ThreadSanitizer, in a program that has it, of an order that it cannot see: where this library
//! calls back into the program. Everything else the header announces.

/// What others have announced as released at `address` happens before what this thread does next.
pub(crate) fn acquire<T>(address: *const T) {
    imp::acquire(address.cast());
}

/// What this thread has done happens before what others do who then announce to acquire `address`.
pub(crate) fn release<T>(address: *const T) {
    imp::release(address.cast());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(loom)))]
mod imp {
    use crate::weak::weak;

    pub(super) fn acquire(address: *const ()) {
        announce(weak!("__tsan_acquire"), address);
    }

    pub(super) fn release(address: *const ()) {
        announce(weak!("__tsan_release"), address);
    }

    /// Calls one of ThreadSanitizer's functions; null in most programs.
    #[inline(always)]
    fn announce(function: *const (), address: *const ()) {
        if !function.is_null() {
            // SAFETY: ThreadSanitizer's, which is of that type and takes any address.
            unsafe {
                core::mem::transmute::<*const (), extern "C" fn(*const ())>(function)(address)
            };
        }
    }
}

/// Elsewhere nobody is told.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(loom))))]
mod imp {
    pub(super) fn acquire(_: *const ()) {}
    pub(super) fn release(_: *const ()) {}
}

//! Tells ThreadSanitizer, in a program that has it, of an order that it cannot see: where this library
//! calls back into the program. Everything else the header announces.

/// What others have announced as released at `address` happens before what this thread does next.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(loom)))]
pub(crate) fn acquire<T>(address: *const T) {
    let function = crate::weak::weak!("__tsan_acquire");
    if !function.is_null() {
        // SAFETY: ThreadSanitizer's, which is of that type and takes any address.
        unsafe { core::mem::transmute::<*const (), extern "C" fn(*const T)>(function)(address) };
    }
}

/// Elsewhere nobody is told.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(loom))))]
pub(crate) fn acquire<T>(_: *const T) {}

//! The C API: what libkref.so and libkref.a export, and what include/kref.h is made of.
//!
//! A file for each section of kref.h. The functions convert their arguments and call the modules above.
//! Their comments are for C programmers: build.rs makes kref.h of them, in the order of kref.h.in. The
//! types have the names that they have in C. A function that can report a violation goes through
//! [`edge`], which finds out who made the call.

mod count;
mod edge;
mod kref;
mod locked;
mod percpu;
mod percpu_mode;
mod percpu_slot;
mod percpu_slow;
mod slot;
mod slow;
mod spin;
mod thread;
mod track;
mod types;
mod violation;

/// Nothing panics. A library without std must define a panic handler all the same.
#[cfg(not(any(test, doc, clippy)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort may always be called.
    unsafe { libc::abort() }
}

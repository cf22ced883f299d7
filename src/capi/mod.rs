//! The C API: what libkref.so and libkref.a export, and what include/kref.h is made of.
//!
//! The functions here convert and call; what they do is elsewhere. Their comments are for C
//! programmers and become the header's, in the order that kref.h.in gives. The types carry the
//! names that they have in C.

mod count;
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

/// Nothing panics: this is here because a library without std must name somebody who would be told.
#[cfg(not(any(test, doc, clippy)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort may always be called.
    unsafe { libc::abort() }
}

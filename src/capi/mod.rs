//! The C API: the functions that libkref.so and libkref.a export.
//!
//! There is a file for each section of the headers. The functions convert their arguments and call the other
//! modules of the crate. build.rs makes the headers from these files and the templates of headers/, so the
//! comments on functions and types are written for C programmers, and the types have their C names. Each
//! function that can report a violation is exported through `edge.rs`, which finds the caller.

mod count;
mod count_spin;
mod edge;
mod kref;
mod locked;
mod percpu;
mod percpu_mode;
mod percpu_slot;
#[cfg(not(target_env = "musl"))]
mod percpu_inline;
mod pool;
mod slot;
mod inline;
mod spin;
mod thread;
mod track;
mod types;
mod version;
mod violation;

/// With musl the sequences are not in the inlined functions of kref/percpu.h, but here: rseq/own.rs says why.
#[cfg(target_env = "musl")]
mod percpu_inline {
    use super::edge::edge;
    use super::percpu::{
        at_percpu_ref_get_many, at_percpu_ref_put_many, at_percpu_ref_tryget_live,
        at_percpu_ref_tryget_many,
    };

    edge!(percpu_ref_get_slow = at_percpu_ref_get_many, 2);
    edge!(percpu_ref_tryget_slow = at_percpu_ref_tryget_many, 2);
    edge!(percpu_ref_tryget_live_slow = at_percpu_ref_tryget_live, 1);
    edge!(percpu_ref_put_slow = at_percpu_ref_put_many, 2);
}

// This ELF note says that the code is compatible with a shadow stack (SHSTK): no function changes its return
// address. The linker marks a program as compatible only if all its objects have the note. There is no note
// for IBT, because stable rustc emits no `endbr64`.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
core::arch::global_asm!(
    ".pushsection .note.gnu.property, \"a\", @note",
    ".balign 8",
    ".long 4, 16, 5", // the lengths of the name and of the content; NT_GNU_PROPERTY_TYPE_0
    ".asciz \"GNU\"",
    ".long 0xc0000002, 4, 2, 0", // GNU_PROPERTY_X86_FEATURE_1_AND, its length, SHSTK, padding
    ".popsection",
);

/// Is never called, because nothing panics. But a library without std must define a panic handler.
#[cfg(not(any(test, doc, clippy)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort may always be called.
    unsafe { libc::abort() }
}

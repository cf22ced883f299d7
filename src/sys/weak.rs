//! Weak references to symbols that not every program has, such as ThreadSanitizer's functions or the
//! variables of a newer libc.
//!
//! A weak reference is null if the program and its libraries do not define the symbol. The linker does
//! not add an object to a static program for a weak reference. Stable Rust cannot declare a weak
//! reference, so this macro reads the global offset table by an instruction.

/// The address of the symbol, or null. This macro exists for x86-64 only. The modules that use it do
/// something else on other processors.
#[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
macro_rules! weak {
    ($name:literal) => {{
        let address: *const ();
        // SAFETY: the instruction reads one word of the global offset table, and nothing else.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $name),
                concat!("mov {address}, [rip + ", $name, "@GOTPCREL]"),
                address = out(reg) address,
                options(nostack, pure, readonly, preserves_flags),
            );
        }
        address
    }};
}
#[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
pub(crate) use weak;

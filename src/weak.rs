//! Names that a program may have and may not: what another library defines, or an older libc lacks.
//!
//! A weak reference is null where nobody defines the name, and pulls nothing into a static program.
//! Stable Rust cannot declare one, so the word of the global offset table is read by hand.

/// The address of what has that name, or null. x86-64 alone; a null elsewhere would be a lie.
#[cfg(all(target_arch = "x86_64", not(loom)))]
macro_rules! weak {
    ($name:literal) => {{
        let address: *const ();
        // SAFETY: reads a word of the global offset table.
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
#[cfg(all(target_arch = "x86_64", not(loom)))]
pub(crate) use weak;

//! Weak references: symbols that a program may have or lack, such as ThreadSanitizer's functions or
//! a newer libc's variables.
//!
//! A weak reference is null where no module defines the symbol, and pulls no object into a static
//! program. Stable Rust cannot declare one, so this macro reads the global offset table by hand.

/// The address of the symbol, or null. Only x86-64 has this macro; its users have another way
/// elsewhere.
#[cfg(all(target_arch = "x86_64", not(loom)))]
macro_rules! weak {
    ($name:literal) => {{
        let address: *const ();
        // SAFETY: reads one word of the global offset table.
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

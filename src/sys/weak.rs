//! Weak references to symbols that not every program has, such as ThreadSanitizer's functions or the
//! variables of a newer libc.
//!
//! A weak reference is null if the program and its libraries do not define the symbol. The linker does
//! not add an object to a static program for a weak reference. Stable Rust cannot declare a weak
//! reference, so this macro defines a word in assembly. The linker or the loader fills in the word.

/// The address of the symbol, or null.
#[cfg(kref_assembly)]
macro_rules! weak {
    ($name:literal) => {{
        // A module, because global_asm! must not stand in a function.
        mod word {
            core::arch::global_asm!(
                concat!(".weak ", $name),
                concat!(".pushsection .data.rel.ro.weak_", $name, ", \"aw\", %progbits"),
                ".balign {size}",
                // Weak, because a program may contain two versions of this crate. Hidden from other libraries.
                concat!(".weak weak_", $name),
                concat!(".hidden weak_", $name),
                concat!("weak_", $name, ": .{size}byte ", $name),
                ".popsection",
                size = const size_of::<usize>(),
            );
        }
        unsafe extern "C" {
            #[link_name = concat!("weak_", $name)]
            static ADDRESS: Option<&'static ()>;
        }
        // SAFETY: the word is defined above. Nobody changes the word after it was loaded.
        unsafe { ADDRESS }.map_or(core::ptr::null(), core::ptr::from_ref)
    }};
}

/// Null: without assembly libkref finds no symbol that may be missing.
#[cfg(not(kref_assembly))]
macro_rules! weak {
    ($name:literal) => {
        core::ptr::null::<()>()
    };
}

pub(crate) use weak;

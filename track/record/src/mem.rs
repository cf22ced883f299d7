//! memcpy() and its like, for the recorder alone.
//!
//! The compiler calls them for moves, and in a program with a sanitizer the names are the sanitizer's:
//! ThreadSanitizer, which cannot see our locks, would report races in our memory. So the names are
//! defined here, hidden, and the linker takes these for all the code that is linked into the library.

/// A function of these instructions, for the C ABI.
macro_rules! function {
    ($name:literal, $($instruction:literal,)+) => {
        core::arch::global_asm!(
            ".pushsection .text.kref_track_mem,\"ax\",@progbits",
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ", @function"),
            ".balign 16",
            concat!($name, ":"),
            ".cfi_startproc",
            $($instruction,)+
            ".cfi_endproc",
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
        );
    };
}

#[cfg_attr(target_arch = "x86_64", path = "mem/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "mem/aarch64.rs")]
mod functions;

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::vec::Vec;

    #[test]
    fn every_length_and_overlap() {
        for length in 0..100_usize {
            let source: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let copy = black_box(&source).clone();
            assert!(copy.iter().enumerate().all(|(place, &byte)| place == usize::from(byte)));
            assert_eq!(black_box(&copy), &source);
            for distance in 0..length {
                let mut moved = source.clone();
                moved.copy_within(..length - distance, distance);
                assert!(moved[distance..].iter().enumerate().all(|(i, &b)| i == usize::from(b)));
                moved.copy_from_slice(&source);
                moved.copy_within(distance.., 0);
                let mut rest = moved[..length - distance].iter().enumerate();
                assert!(rest.all(|(i, &b)| i + distance == usize::from(b)));
            }
        }
    }
}

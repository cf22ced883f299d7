//! Kernels that do not keep the promise of restartable sequences.
//!
//! From Linux 6.19 to 7.0.13 a thread on 64-bit Arm that was preempted inside a sequence continues in the sequence,
//! unless it was moved to another CPU. 7.0.14 and 7.1 restart it, as 6.18 did. A distribution may have mended its
//! own 7.0 under a smaller number. There libkref does not use sequences, either, because nothing tells.
//!
//! On 64-bit RISC-V before Linux 6.9, and before 6.6.51, membarrier may miss a thread that was just scheduled: the
//! scheduler has no barrier between its note of the thread and the thread's first instruction.

use core::ffi::CStr;
use core::mem::MaybeUninit;

/// Whether this is one of those kernels.
pub(super) fn is_broken() -> bool {
    let mut name = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: if uname succeeds, it has filled in the names, each of which ends with a zero.
    let release = unsafe {
        if libc::uname(name.as_mut_ptr()) != 0 {
            return true;
        }
        CStr::from_ptr((*name.as_ptr()).release.as_ptr())
    };
    let mut numbers = release.to_bytes().split(|byte| !byte.is_ascii_digit()).map(number);
    let mut next = || numbers.next().unwrap_or(0);
    is_broken_release(next(), next(), next())
}

fn is_broken_release(major: u32, minor: u32, patch: u32) -> bool {
    let release = (major, minor, patch);
    if cfg!(kref_sequences = "riscv64") {
        release < (6, 6, 51) || ((6, 7, 0)..(6, 9, 0)).contains(&release)
    } else {
        ((6, 19, 0)..(7, 0, 14)).contains(&release)
    }
}

fn number(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        let (broken, right): (&[_], &[_]) = if cfg!(kref_sequences = "riscv64") {
            (
                &[(5, 19, 0), (6, 1, 192), (6, 6, 50), (6, 7, 0), (6, 8, 12)],
                &[(6, 6, 51), (6, 6, 99), (6, 9, 0), (6, 19, 0), (7, 2, 12)],
            )
        } else {
            (
                &[(6, 19, 0), (6, 19, 14), (7, 0, 0), (7, 0, 13)],
                &[(5, 10, 0), (6, 1, 192), (6, 18, 99), (7, 0, 14), (7, 1, 0), (7, 2, 12)],
            )
        };
        assert!(broken.iter().all(|&(major, minor, patch)| is_broken_release(major, minor, patch)));
        assert!(!right.iter().any(|&(major, minor, patch)| is_broken_release(major, minor, patch)));
    }

    #[test]
    fn digits() {
        assert_eq!(number(b"192"), 192);
        assert_eq!(number(b""), 0);
    }
}

//! Whether the program was started under a seccomp filter of its own.
//!
//! Such a filter may end the program for a call that it does not make itself. So the recorder makes then only calls
//! that the loader has just made: it opens, reads, maps and closes files.

use core::ffi::CStr;

/// What /proc says of a thread.
#[derive(Clone, Copy, Default)]
pub struct Status {
    /// The process's number, as those see it who have the same /proc.
    pub seen: u32,
    /// The process's own number: another one in a PID namespace that has no /proc of its own.
    pub pid: u32,
    /// The number of the process that has started it.
    pub parent: u32,
    /// The thread's own number.
    pub tid: u32,
    /// The filters.
    pub filters: u32,
}

impl Status {
    /// Of this thread.
    pub fn own() -> Self {
        Self::read(c"/proc/thread-self/status")
    }

    /// By the file's path. Zeros: there is no such file.
    pub fn read(path: &CStr) -> Self {
        let mut bytes = [0; 2048];
        let length = contents(path, &mut bytes);
        let text = bytes.get(..length).unwrap_or_default();
        let number = |key| number(text, key).unwrap_or(0);
        Self {
            seen: number(b"\nTgid:\t"),
            pid: number(b"\nNStgid:"),
            parent: number(b"\nPPid:\t"),
            tid: number(b"\nNSpid:"),
            filters: number(b"\nSeccomp_filters:\t"),
        }
    }
}

/// Reads the beginning of a file. Returns how many bytes there are.
fn contents(path: &CStr, bytes: &mut [u8]) -> usize {
    // SAFETY: a C string, and room for the bytes.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return 0;
        }
        let length = libc::read(file, bytes.as_mut_ptr().cast(), bytes.len());
        libc::close(file);
        usize::try_from(length).unwrap_or(0)
    }
}

/// The last number of the line that begins with `key`.
fn number(text: &[u8], key: &[u8]) -> Option<u32> {
    let at = text.windows(key.len()).position(|window| window == key)?;
    let line = text.get(at + key.len()..)?.split(|&byte| byte == b'\n').next()?;
    let digits = line.rsplit(|byte| byte.is_ascii_whitespace()).next()?.iter();
    Some(digits.take_while(|byte| byte.is_ascii_digit()).fold(0_u32, |number, &digit| {
        number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::{Status, number};

    #[test]
    fn this_process() {
        let status = Status::own();
        assert_eq!(status.pid, std::process::id());
        assert!(status.tid >= status.pid && status.parent > 0);
        assert_eq!(number(b"Name:\tx\nPid:\t70\nTgid:", b"\nPid:\t"), Some(70));
        assert_eq!(number(b"x\nNSpid:\t70\t1\nTgid:\t9", b"\nNSpid:"), Some(1));
        assert_eq!(number(b"Name:\tx\nPid:", b"\nPid:\t"), None);
    }
}

//! A line for standard error. It is built without allocation and written without a lock, by one system
//! call, so a signal handler may write one.

use crate::sys::errno;

const CAPACITY: usize = 512;

/// A line of limited length. A longer text is cut, and the line then ends with "...".
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    /// A line that begins with "kref: ". All lines of libkref begin so.
    pub(crate) fn new() -> Self {
        let mut line = Self { bytes: [0; CAPACITY], length: 0 };
        line.text("kref: ");
        line
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends bytes that do not come from libkref, such as a path. Replaces control characters by `?`,
    /// because they could change the terminal.
    #[inline(never)]
    pub(crate) fn foreign(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let harmless = byte == b' ' || byte.is_ascii_graphic();
            self.bytes(&[if harmless { byte } else { b'?' }]);
        }
        self
    }

    // Not inlined, like the functions below: they are called from many places, and no place is hot.
    #[inline(never)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let Some(place) = self.bytes.get_mut(self.length) else { break };
            *place = byte;
            self.length += 1;
        }
        self
    }

    #[inline(never)]
    pub(crate) fn decimal(&mut self, number: u32) -> &mut Self {
        if number >= 10 {
            self.decimal(number / 10);
        }
        self.bytes(&[b'0' + (number % 10) as u8])
    }

    #[inline(never)]
    pub(crate) fn hex(&mut self, number: usize) -> &mut Self {
        self.text("0x");
        let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = (number >> (place * 4)) as u8 & 0xf;
            self.bytes(&[if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }]);
        }
        self
    }

    /// Writes the line. If standard error is closed, the line is lost.
    ///
    /// Uses the system call, because libc's `write` is a cancellation point: there a cancelled thread
    /// would end, in the middle of a `kref_get`.
    #[inline(never)]
    pub(crate) fn write(&mut self) {
        const CUT: &[u8] = b"...\n";
        if let Some(end) = self.bytes.get_mut(self.length) {
            *end = b'\n';
            self.length += 1;
        } else if let Some(end) = self.bytes.last_chunk_mut::<{ CUT.len() }>() {
            end.copy_from_slice(CUT);
        }
        let mut rest = self.bytes.get(..self.length).unwrap_or_default();
        while !rest.is_empty() {
            // SAFETY: `rest` has `rest.len()` bytes.
            let written = unsafe { libc::syscall(libc::SYS_write, 2, rest.as_ptr(), rest.len()) };
            match usize::try_from(written) {
                Ok(0) => break,
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(_) if errno::get() == libc::EINTR => {}
                Err(_) => break,
            }
        }
    }
}

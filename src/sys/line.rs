//! One line to standard error, in one write. No allocation and no lock, so a signal handler may
//! write one.

use crate::sys::errno;

const CAPACITY: usize = 512;

/// Text of limited size. A longer text is cut, and ends in "...".
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    /// A line that begins with "kref: ", as all lines of libkref do.
    pub(crate) fn new() -> Self {
        let mut line = Self { bytes: [0; CAPACITY], length: 0 };
        line.text("kref: ");
        line
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Bytes from outside libkref. A control character becomes `?`: it could move a terminal's
    /// cursor.
    #[inline(never)]
    pub(crate) fn foreign(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let harmless = byte == b' ' || byte.is_ascii_graphic();
            self.bytes(&[if harmless { byte } else { b'?' }]);
        }
        self
    }

    // Not inlined, as the functions below: there are many calls, and none of them is hot.
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

    /// Writes the line. If standard error is closed, nothing happens.
    ///
    /// A bare system call: libc's `write` is a cancellation point, where a cancelled thread would end
    /// in the middle of the program's `kref_get`.
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
            // SAFETY: `rest` is that long.
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

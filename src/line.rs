//! One line to standard error, in one write: no allocation, no lock, safe in a signal handler.

use core::ffi::CStr;

const CAPACITY: usize = 512;

/// Text that grows up to a fixed size; what does not fit is cut, and the cut is shown.
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    /// A line that begins, as all of ours do, by saying whose it is.
    pub(crate) fn new() -> Self {
        let mut line = Self { bytes: [0; CAPACITY], length: 0 };
        line.text("kref: ");
        line
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Bytes from outside: what could move a terminal's cursor becomes `?`.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let Some(place) = self.bytes.get_mut(self.length) else { break };
            *place = if byte.is_ascii_control() { b'?' } else { byte };
            self.length += 1;
        }
        self
    }

    pub(crate) fn c_string(&mut self, text: &CStr) -> &mut Self {
        self.bytes(text.to_bytes())
    }

    pub(crate) fn hex(&mut self, number: usize) -> &mut Self {
        self.text("0x");
        let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = (number >> (place * 4)) as u8 & 0xf;
            self.bytes(&[if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }]);
        }
        self
    }

    /// Writes the line; `errno` stays as it was. Where standard error is closed there is nobody to
    /// tell, and nothing happens.
    pub(crate) fn write(&mut self) {
        const CUT: &[u8] = b"...\n";
        if self.length < CAPACITY {
            self.bytes[self.length] = b'\n';
            self.length += 1;
        } else if let Some(end) = self.bytes.last_chunk_mut::<{ CUT.len() }>() {
            end.copy_from_slice(CUT);
        }
        // SAFETY: the thread's own errno, always there.
        let errno = unsafe { &mut *libc::__errno_location() };
        let saved = *errno;
        let mut rest = self.bytes.get(..self.length).unwrap_or_default();
        while !rest.is_empty() {
            // SAFETY: `rest` is that long.
            let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                _ if *errno == libc::EINTR => {}
                _ => break,
            }
        }
        *errno = saved;
    }
}

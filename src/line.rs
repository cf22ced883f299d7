//! One line to standard error, in one write: no allocation, no lock, safe in a signal handler.

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
    #[inline(never)]
    pub(crate) fn foreign(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let harmless = byte == b' ' || byte.is_ascii_graphic();
            self.bytes(&[if harmless { byte } else { b'?' }]);
        }
        self
    }

    // Not inlined, here and below: these are many calls, and nobody waits for them.
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
    pub(crate) fn hex(&mut self, number: usize) -> &mut Self {
        self.text("0x");
        let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = (number >> (place * 4)) as u8 & 0xf;
            self.bytes(&[if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }]);
        }
        self
    }

    /// Writes the line. Where standard error is closed there is nobody to tell, and nothing happens.
    ///
    /// The bare system call, because `write` is a cancellation point: a thread that has been
    /// cancelled would end here, in the midst of somebody's `kref_get`.
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

/// The calling thread's `errno`.
pub(crate) mod errno {
    use core::ffi::c_int;

    pub(crate) fn get() -> c_int {
        // SAFETY: the thread's own errno is always there.
        unsafe { *libc::__errno_location() }
    }

    pub(crate) fn set(errno: c_int) {
        // SAFETY: the thread's own errno is always there.
        unsafe { *libc::__errno_location() = errno }
    }
}

//! A line for standard error. It is built without allocation and written without a lock, by one system
//! call, so a signal handler may write one.

use core::ptr;

use libc::c_int;

use crate::sys::errno;

const CAPACITY: usize = 512;

/// A line of limited length. A longer text is cut, and the line then ends with "...".
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    /// A line that begins with "kref: ". All lines of libkref begin so.
    // Not inlined, as most functions below: many places call them, and none of those is hot.
    #[inline(never)]
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

    /// Writes the line. If standard error is closed or broken, the line is lost.
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
        let shield = Shield::raise();
        while !rest.is_empty() {
            // SAFETY: `rest` has `rest.len()` bytes.
            let written = unsafe { libc::syscall(libc::SYS_write, 2, rest.as_ptr(), rest.len()) };
            match usize::try_from(written) {
                Ok(0) => break,
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(_) => match errno::get() {
                    libc::EINTR => {}
                    error => {
                        shield.failed(error);
                        break;
                    }
                },
            }
        }
        shield.lower();
    }
}

/// Keeps the signals of a failed write from the program. The kernel sends such a signal to the thread
/// that writes: the thread blocks it, and takes it back. Bare system calls: libc's `sigtimedwait` is a
/// cancellation point, too.
struct Shield {
    /// The signals that the thread had blocked before. All, if the kernel refuses to block any.
    blocked: Signals,
    /// The signals that were pending before. They are the program's.
    pending: Signals,
}

/// The kernel's signal set.
pub(crate) type Signals = u64;

/// SIGPIPE: the pipe or socket has no reader. SIGXFSZ: the file has reached the limit of its size. Either
/// ends the program, by default.
const RAISED: Signals = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);

const SIZE: usize = size_of::<Signals>();

impl Shield {
    fn raise() -> Self {
        let mut shield = Self { blocked: !0, pending: 0 };
        change_mask(libc::SIG_BLOCK, &RAISED, &mut shield.blocked);
        // Only a blocked signal stays pending. A program's system call filter may refuse this call.
        if shield.blocked & RAISED != 0 {
            // SAFETY: a signal set of that size.
            unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut shield.pending, SIZE) };
        }
        shield
    }

    /// Takes back the signal of a write that failed, unless the same signal was pending before.
    fn failed(&self, error: c_int) {
        if error != libc::EPIPE && error != libc::EFBIG {
            return;
        }
        let (raised, no_time) = (RAISED & !self.pending, [0_u64; 2]);
        let no_info = ptr::null_mut::<libc::siginfo_t>();
        // SAFETY: a signal set of that size, and a time of any layout: all its bytes are 0.
        unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raised, no_info, &no_time, SIZE) };
    }

    fn lower(&self) {
        change_mask(libc::SIG_UNBLOCK, &(RAISED & !self.blocked), ptr::null_mut());
    }
}

/// rt_sigprocmask(2), which changes the mask of the calling thread.
pub(crate) fn change_mask(how: c_int, signals: &Signals, before: *mut Signals) {
    // SAFETY: signal sets of that size, or null.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, signals, before, SIZE) };
}

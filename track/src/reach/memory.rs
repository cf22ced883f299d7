//! Reads the memory of a process, as far as the budget goes.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// The judge reads at most so much for one report, and so long: the program waits meanwhile.
const MOST_BYTES: u64 = 512 << 20;
const LONGEST: Duration = Duration::from_secs(1);
/// So much is read at a time.
const PIECE: u64 = 1 << 20;
/// The smallest page.
pub const PAGE: u64 = 4096;

/// The memory of a process.
pub struct Memory {
    pid: u32,
    /// Which pages there are. Reading a page that was never written would make one.
    pages: Option<File>,
    page: u64,
    since: Instant,
    /// The bytes that were read.
    pub read: Cell<u64>,
    is_cut: Cell<bool>,
}

impl Memory {
    /// Of a process that is alive.
    pub fn of(pid: u32) -> Self {
        // SAFETY: a bare call.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self {
            pid,
            pages: File::open(format!("/proc/{pid}/pagemap")).ok(),
            page: u64::try_from(page).unwrap_or(PAGE),
            since: Instant::now(),
            read: Cell::new(0),
            is_cut: Cell::new(false),
        }
    }

    /// Whether something was left out because the budget was used up.
    pub fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    fn is_late(&self) -> bool {
        let is_late = self.since.elapsed() > LONGEST;
        self.is_cut.set(self.is_cut() || is_late);
        is_late
    }

    /// Shows the words between two addresses to a function, with their addresses, as far as they can be read.
    pub fn words(&self, start: u64, end: u64, mut show: impl FnMut(u64, u64)) {
        let mut bytes = Vec::new();
        let mut at = start.next_multiple_of(8);
        while at < end && !self.is_cut() {
            let piece = (at / PIECE + 1).saturating_mul(PIECE).min(end) - at;
            let count = self.read(at, piece, &mut bytes);
            for (word, place) in bytes[..count].as_chunks::<8>().0.iter().zip((at..).step_by(8)) {
                let word = u64::from_le_bytes(*word);
                if word != 0 {
                    show(place, word);
                }
            }
            // Behind a page that cannot be read there may be others.
            let whole = count as u64 == piece;
            at = if whole { at + piece } else { ((at + count as u64) / PAGE + 1) * PAGE };
        }
    }

    /// Reads a part into `bytes`, and returns how many bytes there were.
    fn read(&self, at: u64, length: u64, bytes: &mut Vec<u8>) -> usize {
        if self.read.get() + length > MOST_BYTES || self.is_late() {
            self.is_cut.set(true);
            return 0;
        }
        let (at, length) = (at, usize::try_from(length).unwrap_or(0));
        bytes.clear();
        bytes.resize(length, 0);
        let Some(first) = self.first_page(at, length as u64) else { return length };
        let skipped = usize::try_from(first.saturating_sub(at)).unwrap_or(0).min(length);
        let wanted = &mut bytes[skipped..];
        let here = libc::iovec { iov_base: wanted.as_mut_ptr().cast(), iov_len: length - skipped };
        let there =
            libc::iovec { iov_base: (at + skipped as u64) as *mut _, iov_len: length - skipped };
        // SAFETY: the kernel writes into `bytes`, and checks the other address.
        let read = unsafe { libc::process_vm_readv(self.pid as i32, &here, 1, &there, 1, 0) };
        let read = usize::try_from(read).unwrap_or(0);
        self.read.set(self.read.get() + read as u64);
        if read == 0 { 0 } else { skipped + read }
    }

    /// The first page in a range that is there. `None`: none is, so all bytes are zero.
    fn first_page(&self, at: u64, length: u64) -> Option<u64> {
        let Some(pages) = &self.pages else { return Some(at) };
        let (first, end) = (at / self.page, (at + length).div_ceil(self.page));
        let mut entries = vec![0; 8 * (end - first) as usize];
        if pages.read_exact_at(&mut entries, 8 * first).is_err() {
            return Some(at);
        }
        // Present, or swapped out.
        let is_there = |entry: &[u8; 8]| u64::from_le_bytes(*entry) >> 62 != 0;
        let place = entries.as_chunks::<8>().0.iter().position(is_there)?;
        Some(((first + place as u64) * self.page).max(at))
    }

    /// The first page from an address on that is there, or the end.
    pub fn next_page(&self, mut at: u64, end: u64) -> u64 {
        while at < end && !self.is_late() {
            let length = PIECE.min(end - at);
            match self.first_page(at, length) {
                Some(page) => return page,
                None => at += length,
            }
        }
        end
    }

    /// The word at an address, from a window that moves with it.
    pub fn window(&self) -> Window<'_> {
        Window { memory: self, start: 0, bytes: Vec::new(), count: 0 }
    }
}

/// A part of the memory that was read last.
pub struct Window<'a> {
    memory: &'a Memory,
    start: u64,
    bytes: Vec<u8>,
    count: usize,
}

impl Window<'_> {
    /// The word at an address, if it can be read.
    pub fn word(&mut self, at: u64) -> Option<u64> {
        let inside = |window: &Self| {
            let place = usize::try_from(at.checked_sub(window.start)?).ok()?;
            window.bytes[..window.count].get(place..)?.first_chunk::<8>().copied()
        };
        if let Some(word) = inside(self) {
            return Some(u64::from_le_bytes(word));
        }
        self.start = at / 16 * 16;
        // A small piece where the next word may be far away.
        self.count = self.memory.read(self.start, PIECE / 16, &mut self.bytes);
        if self.count == 0 {
            let rest = PAGE - self.start % PAGE;
            self.count = self.memory.read(self.start, rest, &mut self.bytes);
        }
        inside(self).map(u64::from_le_bytes)
    }
}

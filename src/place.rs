//! Where in the program an address is: which file is mapped there, and how far into it.
//!
//! The kernel tells, in /proc/self/maps. The loader could tell, too, but `dladdr` waits for the
//! loader's lock: in a signal handler, or under a lock that some constructor wants, for ever.

use core::ffi::CStr;
use core::ptr;

use crate::line::Line;

const MAPS: &CStr = c"/proc/self/maps";

/// Longer lines have long paths, which are cut.
const LINE: usize = 512;

/// Adds `file+offset` to the line, in the form that `addr2line -e file offset` takes; or, where no
/// file is mapped at `address` or the kernel does not tell, the bare address.
pub(crate) fn describe(line: &mut Line, address: usize) {
    let mut search = Search { address, base: 0, path: Text::new(), found: false };
    read_lines(|text| search.look_at(text));
    if search.found {
        line.bytes(search.path.bytes()).text("+").hex(address.wrapping_sub(load_bias(search.base)));
    } else {
        line.hex(address);
    }
}

/// Walks the mappings in order of address. A file's first one has its ELF header.
struct Search {
    address: usize,
    base: usize,
    path: Text,
    found: bool,
}

impl Search {
    /// Looks at `start-end flags offset device inode path`; `false` when it need not see more.
    fn look_at(&mut self, mapping: &[u8]) -> bool {
        let mut fields = mapping.splitn(6, |&byte| byte == b' ');
        let mut range = fields.next().unwrap_or_default().splitn(2, |&byte| byte == b'-');
        let start = hexadecimal(range.next().unwrap_or_default());
        let end = hexadecimal(range.next().unwrap_or_default());
        let readable = fields.next().unwrap_or_default().starts_with(b"r");
        let offset = hexadecimal(fields.next().unwrap_or_default());
        let path = fields.nth(2).unwrap_or_default().trim_ascii_start();
        if offset == 0 && readable && path != self.path.bytes() {
            self.base = start;
            self.path.set(path);
        }
        if self.address < start || self.address >= end {
            return self.address >= end;
        }
        self.found = path.first() == Some(&b'/') && path == self.path.bytes();
        false
    }
}

/// What was added to a file's own addresses when it was mapped: nothing for a fixed-address program,
/// where it begins for everything else.
fn load_bias(base: usize) -> usize {
    const TYPE: usize = 16; // e_type's place in an ELF header
    const FIXED: u16 = 2; // ET_EXEC
    // SAFETY: a file that this thread's caller runs from is mapped at `base`, readable, from its
    // beginning, where its ELF header is.
    let kind = unsafe { ptr::with_exposed_provenance::<u16>(base + TYPE).read_unaligned() };
    if kind == FIXED { 0 } else { base }
}

#[inline(never)]
fn hexadecimal(digits: &[u8]) -> usize {
    digits.iter().fold(0, |number, &digit| {
        let value = char::from(digit).to_digit(16).unwrap_or_default();
        number << 4 | value as usize
    })
}

/// Some bytes, cut at a fixed length.
struct Text {
    bytes: [u8; LINE],
    length: usize,
}

impl Text {
    fn new() -> Self {
        Self { bytes: [0; LINE], length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline(never)]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn set(&mut self, bytes: &[u8]) {
        self.length = 0;
        bytes.iter().for_each(|&byte| self.push(byte));
    }
}

/// Gives the mappings to `look`, line by line, until it returns `false`. Bare system calls: `open`
/// and `read` are cancellation points.
fn read_lines(mut look: impl FnMut(&[u8]) -> bool) {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a C string.
    let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, MAPS.as_ptr(), flags) };
    if file < 0 {
        return;
    }
    let (mut line, mut chunk) = (Text::new(), [0_u8; LINE]);
    'file: loop {
        // SAFETY: `chunk` is that long.
        let read = unsafe { libc::syscall(libc::SYS_read, file, chunk.as_mut_ptr(), LINE) };
        let bytes = usize::try_from(read).ok().and_then(|length| chunk.get(..length));
        let Some(bytes @ [_, ..]) = bytes else { break };
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            } else if look(line.bytes()) {
                line.length = 0;
            } else {
                break 'file;
            }
        }
    }
    // SAFETY: opened above.
    unsafe { libc::syscall(libc::SYS_close, file) };
}

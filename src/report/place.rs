//! Code addresses in words: which file is mapped at an address, and how far into the file.
//!
//! The kernel's /proc/self/maps has the answer. The loader's `dladdr` has it too, but takes the
//! loader's lock: in a signal handler, or under a lock that a constructor waits for, `dladdr` could
//! wait for ever.

use core::ffi::CStr;
use core::ptr;

use crate::sys::bytes::take_until;
use crate::sys::line::Line;

const MAPS: &CStr = c"/proc/self/maps";

/// Longer lines of the file have long paths. The paths are cut.
const LINE: usize = 512;

/// Appends `file+offset`, for a call that returns to `address`. `addr2line -e file offset` takes this
/// form. Where no file is mapped, or the kernel does not tell, the bare address.
pub(super) fn describe(line: &mut Line, address: usize) {
    // The last byte of the call instruction: the address itself may belong to the next line.
    let address = address.wrapping_sub(1);
    let mut search = Search { address, base: 0, path: Text::new(), found: false };
    read_lines(&mut |text| search.look_at(&Mapping::parse(text)));
    if search.found {
        let offset = address.wrapping_sub(load_bias(search.base));
        line.foreign(search.path.bytes()).text("+").hex(offset);
    } else {
        line.hex(address);
    }
}

/// The return address beside the saved frame pointer that `frame` points to: where the caller's
/// function was called. `None` if `frame` is no pointer into this thread's stack, as in code without
/// frame pointers, or if the word found there is no address of mapped code.
pub(super) fn return_address(frame: usize) -> Option<usize> {
    let here = ptr::from_ref(&frame).addr();
    if frame % size_of::<usize>() != 0 || frame <= here {
        return None;
    }
    let mut found = None;
    read_lines(&mut |text| {
        let mapping = Mapping::parse(text);
        let place = frame.wrapping_add(size_of::<usize>());
        let in_stack = mapping.contains(here) && mapping.contains(place);
        if in_stack {
            // SAFETY: an aligned word of the mapping that this thread's stack is in, above the part in
            // use by this function. The thread's own stack stays mapped.
            found = Some(unsafe { ptr::with_exposed_provenance::<usize>(place).read() });
        }
        !in_stack
    });
    let address = found?;
    let mut is_code = false;
    read_lines(&mut |text| {
        let mapping = Mapping::parse(text);
        is_code = mapping.contains(address) && mapping.is_executable;
        !is_code
    });
    is_code.then_some(address)
}

/// One line: `start-end flags offset device inode path`.
struct Mapping<'a> {
    start: usize,
    end: usize,
    is_readable: bool,
    is_executable: bool,
    offset: usize,
    path: &'a [u8],
}

impl<'a> Mapping<'a> {
    #[inline(never)]
    fn parse(mut rest: &'a [u8]) -> Self {
        let start = take_until(&mut rest, b'-');
        let end = take_until(&mut rest, b' ');
        let flags = take_until(&mut rest, b' ');
        let offset = take_until(&mut rest, b' ');
        let _device = take_until(&mut rest, b' ');
        let _inode = take_until(&mut rest, b' ');
        Self {
            start: hexadecimal(start),
            end: hexadecimal(end),
            is_readable: flags.first() == Some(&b'r'),
            is_executable: flags.get(2) == Some(&b'x'),
            offset: hexadecimal(offset),
            path: rest.trim_ascii_start(),
        }
    }

    fn contains(&self, address: usize) -> bool {
        self.start <= address && address < self.end
    }
}

/// A walk through the mappings, which come in the order of their addresses. The first mapping of a
/// file has the file's ELF header.
struct Search {
    address: usize,
    base: usize,
    path: Text,
    found: bool,
}

impl Search {
    /// `false` ends the walk.
    fn look_at(&mut self, mapping: &Mapping) -> bool {
        if mapping.offset == 0 && mapping.is_readable && mapping.path != self.path.bytes() {
            self.base = mapping.start;
            self.path.set(mapping.path);
        }
        if !mapping.contains(self.address) {
            return self.address >= mapping.end;
        }
        self.found = mapping.path.first() == Some(&b'/') && mapping.path == self.path.bytes();
        false
    }
}

/// The difference between an address in memory and the same address in the file: zero for a program
/// with fixed addresses, else the address of the file's first byte.
fn load_bias(base: usize) -> usize {
    const TYPE: usize = 16; // the offset of e_type in an ELF header
    const FIXED: u16 = 2; // ET_EXEC
    // SAFETY: this thread's caller runs from the file. The file is mapped readable at `base` from its
    // beginning, which is an ELF header.
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

/// Bytes, cut at a fixed length.
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

/// Gives the lines of the file to `look` until it returns `false`. Bare system calls: libc's `open`
/// and `read` are cancellation points.
#[inline(never)]
fn read_lines(look: &mut dyn FnMut(&[u8]) -> bool) {
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

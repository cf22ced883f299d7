//! Code addresses for messages: the file that is mapped at an address, and the offset in the file.
//!
//! The source is /proc/self/maps. The loader's `dladdr` knows the file too, but `dladdr` takes the
//! loader's lock. That could deadlock in a signal handler, and in a thread that holds a lock for which
//! a library's constructor waits.

use core::ffi::CStr;
use core::ptr;

use crate::sys::bytes::take_until;
use crate::sys::line::Line;

const MAPS: &CStr = c"/proc/self/maps";

/// The longest line of the file that is kept. Only a long path makes a line longer, and then the path is cut.
const LINE: usize = 512;

/// Appends `file+offset` for a call that returns to `address`; `addr2line -e file offset` then prints
/// the line of the call. If no file is mapped there, or /proc cannot be read, appends the address.
pub(super) fn describe(line: &mut Line, address: usize) {
    // The last byte of the call instruction. The return address itself may belong to the next source
    // line.
    let address = address.wrapping_sub(1);
    let search = Search::run(MAPS, address);
    if search.found {
        let offset = address.wrapping_sub(load_bias(search.base));
        line.foreign(search.path.bytes()).text("+").hex(offset);
    } else {
        line.hex(address);
    }
}

/// The return address of the function whose frame pointer is `frame`: the place from which that function was
/// called. The return address is stored next to the saved frame pointer, at `frame`. `None` if `frame` is not
/// above this function's frame, or if no code is mapped at the value that was read. The result may be wrong:
/// a function without a frame pointer leaves an outer function's frame in the register.
pub(super) fn return_address(frame: usize) -> Option<usize> {
    let here = ptr::from_ref(&frame).addr();
    let word = size_of::<usize>();
    if frame % word != 0 || frame <= here {
        return None;
    }
    // On riscv64 a frame pointer points above the two saved registers, elsewhere to the lower one.
    let place = if cfg!(target_arch = "riscv64") {
        frame.wrapping_sub(word)
    } else {
        frame.wrapping_add(word)
    };
    read_word(place).filter(|&address| is_code(MAPS, address))
}

/// Whether code is mapped at `address`.
fn is_code(maps: &CStr, address: usize) -> bool {
    let mut is_code = false;
    read_lines(maps, &mut |text| {
        let mapping = Mapping::parse(text);
        is_code = mapping.contains(address) && mapping.is_executable;
        !is_code
    });
    is_code
}

/// Searches the file `maps`. Calls `found` with the start and the path of the file that is mapped at
/// `address`. Returns whether code is mapped there.
#[cfg(feature = "fuzzing")]
pub fn find_place(maps: &CStr, address: usize, found: impl FnOnce(usize, &[u8])) -> bool {
    let search = Search::run(maps, address);
    if search.found {
        found(search.base, search.path.bytes());
    }
    is_code(maps, address)
}

/// The word at `place`. `None` if `place` cannot be read. The kernel copies the word, because a load would
/// end the program: the register may hold any address, and another thread may unmap the memory there.
fn read_word(place: usize) -> Option<usize> {
    let mut word = 0_usize;
    let to = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: size_of::<usize>() };
    let from = libc::iovec { iov_base: ptr::with_exposed_provenance_mut(place), ..to };
    let (one, no_flags) = (1_usize, 0_usize); // variadic arguments: each as wide as the kernel reads it
    // SAFETY: the kernel writes at most one word to `word`, and checks the other address.
    let length = unsafe {
        let process = libc::syscall(libc::SYS_getpid);
        let (to, from) = (&raw const to, &raw const from);
        libc::syscall(libc::SYS_process_vm_readv, process, to, one, from, one, no_flags)
    };
    (length == size_of::<usize>() as libc::c_long).then_some(word)
}

/// A line of the file: `start-end flags offset device inode path`.
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
        while let [b' ', path @ ..] = rest {
            rest = path;
        }
        Self {
            start: hexadecimal(start),
            end: hexadecimal(end),
            is_readable: flags.first() == Some(&b'r'),
            is_executable: flags.get(2) == Some(&b'x'),
            offset: hexadecimal(offset),
            path: rest,
        }
    }

    fn contains(&self, address: usize) -> bool {
        self.start <= address && address < self.end
    }
}

/// A search for the mapping that contains `address`. The mappings are sorted by address, and the first
/// mapping of a file contains the file's ELF header.
struct Search {
    address: usize,
    /// The start and the path of the file that was seen most recently.
    base: usize,
    path: Text,
    /// Whether the address belongs to this file.
    found: bool,
}

impl Search {
    #[inline(always)]
    fn run(maps: &CStr, address: usize) -> Self {
        let mut search = Self { address, base: 0, path: Text::new(), found: false };
        read_lines(maps, &mut |text| search.look_at(&Mapping::parse(text)));
        search
    }

    /// `false` ends the search.
    fn look_at(&mut self, mapping: &Mapping) -> bool {
        let is_same = mapping.path == self.path.bytes();
        let is_first = mapping.offset == 0 && mapping.is_readable && !is_same;
        if is_first {
            self.base = mapping.start;
            self.path.set(mapping.path);
        }
        if !mapping.contains(self.address) {
            return self.address >= mapping.end;
        }
        self.found = mapping.path.first() == Some(&b'/') && (is_same || is_first);
        false
    }
}

/// The difference between an address in memory and the same address in the ELF file. Zero for a program
/// with fixed addresses, otherwise the address of the file's first byte. A library has no fixed addresses.
fn load_bias(base: usize) -> usize {
    const TYPE: usize = 16; // the offset of e_type in an ELF header
    const FIXED: u16 = 2; // ET_EXEC
    // SAFETY: getauxval may always be called.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    let is_program = (base..base + LONGEST_HEADER).contains(&headers);
    // SAFETY: the program's ELF header is at `base`: its program headers follow there. The program is never
    // unmapped. A library may be unmapped by another thread at this moment, so its header is not read.
    let is_fixed = is_program
        && unsafe { ptr::with_exposed_provenance::<u16>(base + TYPE).read_unaligned() } == FIXED;
    if is_fixed { 0 } else { base }
}

/// The program headers stand in the first page of the program's file.
const LONGEST_HEADER: usize = 4096;

#[inline(never)]
fn hexadecimal(digits: &[u8]) -> usize {
    // 0 to 9, or a to f, whose codes end in 1 to 6.
    let value = |digit: u8| usize::from(digit & 0xf) + if digit > b'9' { 9 } else { 0 };
    digits.iter().fold(0, |number, &digit| number << 4 | value(digit))
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

/// Calls `look` for each line of the file `maps`, until `look` returns `false`. Uses system calls, because
/// libc's `open` and `read` are cancellation points, and a get or a put must not be one.
#[inline(never)]
fn read_lines(maps: &CStr, look: &mut dyn FnMut(&[u8]) -> bool) {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a C string.
    let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, maps.as_ptr(), flags) };
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

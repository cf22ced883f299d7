//! What the judge itself reads of ELF files: the build-id, and where functions begin.
//!
//! The files are the program's, and may be wrong in any way: each number is checked by those who use it.

use object::{CompressionFormat, Object, ObjectSection, ReadRef};

/// A part of a file that is mapped, or a note, or unwinding tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// PT_LOAD and others.
    pub kind: u32,
    /// Where it is in the file.
    pub offset: u64,
    /// Where it is in memory, without the load bias.
    pub address: u64,
    /// Its bytes in the file.
    pub size: u64,
}

/// Longer notes and tables of segments are not read.
const MOST_BYTES: u64 = 1 << 16;
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// The segments of a 64-bit little-endian ELF file, of which `read` gives bytes by offset and length.
pub fn segments(read: &dyn Fn(u64, u64) -> Option<Vec<u8>>) -> Option<Vec<Segment>> {
    let header = read(0, HEADER as u64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (size, count) = (half(&header, 54)?, half(&header, 56)?);
    if usize::from(size) != SEGMENT {
        return None;
    }
    let table = read(word(&header, 32)?, u64::from(size) * u64::from(count))?;
    table.chunks_exact(SEGMENT).map(segment).collect()
}

fn segment(bytes: &[u8]) -> Option<Segment> {
    let kind = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    Some(Segment {
        kind,
        offset: word(bytes, 8)?,
        address: word(bytes, 16)?,
        size: word(bytes, 32)?,
    })
}

/// Whether a compressed section claims to be much larger than it is: the reader of its debug information would make
/// room for as much. What compilers write becomes at most ten times as large.
pub fn claims_too_much<'a>(file: &object::File<'a, impl ReadRef<'a>>) -> bool {
    const LARGE: u64 = 16 << 20;
    const MOST_RATIO: u64 = 64;
    file.sections().filter_map(|section| section.compressed_file_range().ok()).any(|range| {
        range.format != CompressionFormat::None
            && range.uncompressed_size > LARGE.max(range.compressed_size.saturating_mul(MOST_RATIO))
    })
}

/// The build-id, of which `read` gives the bytes of a segment.
pub fn build_id(
    segments: &[Segment],
    read: &dyn Fn(&Segment) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let notes = segments
        .iter()
        .filter(|segment| segment.kind == libc::PT_NOTE && segment.size <= MOST_BYTES);
    notes.filter_map(read).find_map(|notes| gnu_build_id(&notes))
}

fn gnu_build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    const BUILD_ID: u32 = 3;
    loop {
        let number = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, length, kind) = (number(0)? as usize, number(4)? as usize, number(8)?);
        let start = 12 + name.checked_next_multiple_of(4)?;
        let content = notes.get(start..start.checked_add(length)?)?;
        if kind == BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(content.to_vec());
        }
        notes = notes.get(start + length.checked_next_multiple_of(4)?..)?;
    }
}

/// The libraries that a file names as needed.
pub fn needed(
    segments: &[Segment],
    read: &dyn Fn(u64, u64) -> Option<Vec<u8>>,
) -> Option<Vec<String>> {
    const NEEDED: u64 = 1;
    const STRINGS: u64 = 5;
    const STRINGS_BYTES: u64 = 10;
    let dynamic = segments.iter().find(|segment| segment.kind == libc::PT_DYNAMIC)?;
    let table = read(dynamic.offset, dynamic.size.min(MOST_BYTES))?;
    let entries: Vec<_> = table
        .chunks_exact(16)
        .filter_map(|entry| Some((word(entry, 0)?, word(entry, 8)?)))
        .collect();
    let value = |wanted| entries.iter().find(|entry| entry.0 == wanted).map(|entry| entry.1);
    let address = value(STRINGS)?;
    let holds = |segment: &&Segment| {
        segment.kind == libc::PT_LOAD && address.wrapping_sub(segment.address) < segment.size
    };
    let segment = segments.iter().find(holds)?;
    let strings = read(segment.offset + (address - segment.address), value(STRINGS_BYTES)?)?;
    let name = |at: u64| {
        let rest = strings.get(usize::try_from(at).ok()?..)?;
        Some(String::from_utf8_lossy(rest.split(|&byte| byte == 0).next()?).into_owned())
    };
    Some(
        entries
            .iter()
            .filter(|entry| entry.0 == NEEDED)
            .filter_map(|entry| name(entry.1))
            .collect(),
    )
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// .eh_frame_hdr: the beginnings of all functions, in order. A stripped file has it, too.
pub struct Functions {
    /// Its address, without the load bias.
    start: u64,
    bytes: Vec<u8>,
}

/// What every linker writes at its start: version 1; .eh_frame's address relative to here; a count of four bytes;
/// a table of addresses relative to the header's start.
const USUAL: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

impl Functions {
    /// A table at an address. `None` if it is of another form.
    pub fn new(start: u64, bytes: Vec<u8>) -> Option<Self> {
        (bytes.starts_with(&USUAL) && bytes.len() >= 12).then_some(Self { start, bytes })
    }

    /// Where the function around `address` begins.
    pub fn start(&self, address: u64) -> Option<u64> {
        let wanted = address.wrapping_sub(self.start) as i64;
        let count = self.number(8)? as u32 as usize;
        let (mut low, mut high) = (0, count.min(self.bytes.len() / 8));
        while low < high {
            let middle = low + (high - low) / 2;
            if i64::from(self.number(12 + 8 * middle)?) <= wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = self.number(12 + 8 * low.checked_sub(1)?)?;
        Some(self.start.wrapping_add_signed(found.into()))
    }

    fn number(&self, at: usize) -> Option<i32> {
        Some(i32::from_le_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Functions, build_id, claims_too_much, gnu_build_id, segments};

    #[test]
    fn this_program() {
        let file = std::fs::read("/proc/self/exe").expect("our own file");
        let read = |at: u64, length: u64| {
            file.get(at as usize..at.checked_add(length)? as usize).map(<[u8]>::to_vec)
        };
        let segments = segments(&read).expect("an ELF file");
        let id = build_id(&segments, &|segment| read(segment.offset, segment.size));
        assert!(id.is_none_or(|id| id.len() >= 8));
        let needed = super::needed(&segments, &read).expect("a program that is loaded");
        assert!(needed.iter().any(|name| name.starts_with("libc.so")), "{needed:?}");
        let table = segments.iter().find(|segment| segment.kind == libc::PT_GNU_EH_FRAME);
        let table = table.expect("unwinding tables");
        let bytes = read(table.offset, table.size).expect("inside the file");
        let functions = Functions::new(table.address, bytes).expect("the usual form");
        let text = segments.iter().filter(|segment| segment.kind == libc::PT_LOAD);
        let text = text.max_by_key(|segment| segment.size).expect("code");
        let middle = text.address + text.size / 2;
        let start = functions.start(middle).expect("a function");
        assert!(start <= middle && functions.start(start) == Some(start));
    }

    /// A file with one section, whose name, flags and content are given. The count of sections is where a file has it
    /// that has too many for the header.
    fn file_with(name: &str, flags: u64, content: &[u8]) -> Vec<u8> {
        let names = [b"\0", name.as_bytes(), b"\0"].concat();
        let (table, names_at) = (64_u64, 64 + 3 * 64);
        let content_at = names_at + names.len() as u64;
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
        [0, 0, table].iter().for_each(|word: &u64| file.extend(word.to_le_bytes()));
        file.extend([0; 4]);
        [64_u16, 56, 0, 64, 0, 2].iter().for_each(|half| file.extend(half.to_le_bytes()));
        let mut section = |name: u32, kind: u32, flags: u64, at: u64, size: u64| {
            file.extend(name.to_le_bytes().into_iter().chain(kind.to_le_bytes()));
            for word in [flags, 0, at, size, 0, 1, 0] {
                file.extend(word.to_le_bytes());
            }
        };
        section(0, 0, 0, 0, 3);
        section(1, 1, flags, content_at, content.len() as u64);
        section(0, 3, 0, names_at, names.len() as u64);
        [file, names, content.to_vec()].concat()
    }

    fn too_much_in(file: &[u8]) -> bool {
        claims_too_much(&object::File::parse(file).expect("an ELF file"))
    }

    #[test]
    fn sections_that_claim_too_much() {
        let usual = |size: u64| {
            let header = [1_u64, size, 1].into_iter().flat_map(|word| word.to_le_bytes());
            header.chain([0; 100]).collect::<Vec<_>>()
        };
        let gnu = |size: u64| [b"ZLIB", &size.to_be_bytes()[..], &[0; 100]].concat();
        for (size, too_much) in [(1000, false), (1 << 31, true)] {
            assert_eq!(
                too_much_in(&file_with(".debug_info", 0x800, &usual(size))),
                too_much,
                "{size}"
            );
            assert_eq!(too_much_in(&file_with(".zdebug_info", 0, &gnu(size))), too_much, "{size}");
            assert!(!too_much_in(&file_with(".data", 0, &gnu(size))), "a name of no debug section");
        }
    }

    #[test]
    fn garbage() {
        assert_eq!(gnu_build_id(&[0xff; 40]), None);
        assert_eq!(gnu_build_id(&[]), None);
        assert!(Functions::new(0, vec![1, 0x1b, 3, 0x3b]).is_none());
        // A count that is larger than the table.
        let table = [&[1, 0x1b, 3, 0x3b][..], &[0xff; 16]].concat();
        let table = Functions::new(0, table).expect("the usual form");
        assert_eq!([0, 5, u64::MAX].map(|address| table.start(address)), [None; 3]);
    }
}

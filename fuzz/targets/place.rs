//! The search for an address in the text of /proc/self/maps. Some inputs are any text: a path that is found must
//! begin with `/`. The others become lists of mappings as the kernel writes them, and the result is compared with
//! a model that searches backwards.
#![no_main]

mod memory;

use std::ffi::CString;
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;

/// The library cuts a line here.
const LINE: usize = 512;

const PATHS: [&str; 8] = [
    "",
    "/usr/bin/server",
    "/usr/lib/libkref.so.0.2",
    "/usr/lib/libkref.so.0.2 (deleted)",
    "/a path with blanks - and: signs",
    "[heap]",
    "[vdso]",
    "LONG",
];

#[derive(Debug)]
struct Mapping {
    start: usize,
    end: usize,
    is_readable: bool,
    is_executable: bool,
    offset: usize,
    path: String,
}

/// A file's start and path, and whether code is mapped at the address.
type Found = (Option<(usize, String)>, bool);

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, at], rest)) = data.split_first_chunk() else { return };
    if kind % 8 == 0 {
        let Some((address, text)) = rest.split_first_chunk() else { return };
        let (found, _) = search(text, usize::from_ne_bytes(*address));
        assert!(found.is_none_or(|(_, path)| path.starts_with('/')));
        return;
    }
    let mappings = mappings(rest);
    let text: String = mappings.iter().map(line).collect();
    for mapping in mappings.iter().skip(usize::from(at) % (mappings.len() + 1)).take(2) {
        let middle = mapping.start + (mapping.end - mapping.start) / 2;
        for address in
            [mapping.start.wrapping_sub(1), mapping.start, middle, mapping.end - 1, mapping.end]
        {
            assert_eq!(
                search(text.as_bytes(), address),
                model(&mappings, address),
                "{address:x}\n{text}"
            );
        }
    }
});

fn search(text: &[u8], address: usize) -> Found {
    let file = memory::file(text);
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("no zero");
    let mut place = None;
    let is_code = kref::find_place(&path, address, |start, path| {
        place = Some((start, String::from_utf8_lossy(path).into_owned()));
    });
    (place, is_code)
}

/// Mappings in the order of their addresses: four bytes each.
fn mappings(data: &[u8]) -> Vec<Mapping> {
    let mut start = 0_usize;
    let mapping = |&[gap, size, kind, path]: &[u8; 4]| {
        // Addresses of all lengths: a large gap doubles the address.
        start =
            if gap > 0xf0 { start.saturating_mul(2) } else { start + usize::from(gap % 3) * 4096 };
        let first = start;
        start = start.checked_add((usize::from(size) + 1) * 4096)?;
        let name = PATHS[usize::from(path) % PATHS.len()];
        Some(Mapping {
            start: first,
            end: start,
            is_readable: kind & 1 == 0,
            is_executable: kind & 2 != 0,
            offset: if kind & 12 == 0 { 0 } else { usize::from(kind) << 12 },
            path: if name == "LONG" { format!("/{}", "long/".repeat(120)) } else { name.into() },
        })
    };
    let (chunks, _) = data.as_chunks();
    chunks.iter().map_while(mapping).take(200).collect()
}

/// As the kernel writes it: the path begins in column 73.
fn line(mapping: &Mapping) -> String {
    let Mapping { start, end, offset, path, .. } = mapping;
    let r = if mapping.is_readable { 'r' } else { '-' };
    let x = if mapping.is_executable { 'x' } else { '-' };
    let front = format!("{start:08x}-{end:08x} {r}-{x}p {offset:08x} fe:01 4711 ");
    if path.is_empty() { front + "\n" } else { format!("{front:<73}{path}\n") }
}

/// Goes back from the mapping of the address to the first one of its file, which has the ELF header.
fn model(mappings: &[Mapping], address: usize) -> Found {
    let holds = |mapping: &Mapping| (mapping.start..mapping.end).contains(&address);
    let Some(at) = mappings.iter().position(holds) else { return (None, false) };
    let path = &mappings[at].path;
    let firsts =
        mappings[..=at].iter().rev().filter(|mapping| mapping.offset == 0 && mapping.is_readable);
    let own = firsts.take_while(|mapping| mapping.path == *path);
    let place = own.last().filter(|_| path.starts_with('/')).map(|first| {
        let cut = path.get(..LINE - 73).unwrap_or(path);
        (first.start, cut.to_string())
    });
    (place, mappings[at].is_executable)
}

//! The mappings of a process that can have pointers in them.

use std::fs;

use crate::maps::Line;

/// What a mapping is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The variables of the program and its libraries.
    Globals,
    /// The same of the C library, which has the state of malloc() among them.
    LibcGlobals,
    /// What malloc() has from brk(2).
    Heap,
    /// The stack of the first thread.
    Stack,
    /// Memory without a file: stacks of other threads, of malloc(), or the program's own.
    Anonymous,
}

/// A mapping that can have pointers in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// What it is for.
    pub kind: Kind,
}

impl Region {
    /// Whether an address is in it.
    pub fn has(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// The mappings of a process, by address. None: they cannot be read.
pub fn of(pid: u32) -> Vec<Region> {
    parse(&fs::read(format!("/proc/{pid}/smaps")).unwrap_or_default())
}

fn parse(smaps: &[u8]) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    // A file's variables that begin as zero (.bss) are in a nameless mapping directly behind the file's.
    let mut file: Option<(u64, Kind)> = None;
    let mut is_last_new = false;
    for line in smaps.split(|&byte| byte == b'\n') {
        if let Some(flags) = line.strip_prefix(b"VmFlags:") {
            // A device's memory is not read. Nor is the recorder's, which is wiped in a fork's child (wf).
            let mut flags = flags.split(|&byte| byte == b' ');
            if is_last_new && flags.any(|flag| matches!(flag, b"io" | b"pf" | b"wf")) {
                regions.pop();
            }
            is_last_new = false;
        } else if let Some(line) = Line::of(line) {
            let (start, end) = (line.start, line.end);
            let path = &*String::from_utf8_lossy(line.path);
            let of_file = file.filter(|&(behind, _)| behind == start).map(|(_, kind)| kind);
            let kind = kind(&line, path, of_file);
            let has_name = !path.is_empty() && !path.starts_with('[');
            file = (has_name && !path.contains("libkref_track"))
                .then_some((end, if is_libc(path) { Kind::LibcGlobals } else { Kind::Globals }));
            is_last_new = kind.is_some();
            regions.extend(kind.map(|kind| Region { start, end, kind }));
        }
    }
    regions
}

fn is_libc(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("libc.so") || name.starts_with("libc-")
}

fn kind(line: &Line, path: &str, of_file: Option<Kind>) -> Option<Kind> {
    if !line.access.starts_with("rw") || path.contains("libkref_track") {
        return None;
    }
    if line.is_shared() {
        let is_memory = ["/dev/zero", "/memfd:", "/dev/shm/", "/SYSV"];
        let is_memory = is_memory.iter().any(|prefix| path.starts_with(prefix));
        return (is_memory && line.judge().is_none()).then_some(Kind::Anonymous);
    }
    match path {
        "[heap]" => Some(Kind::Heap),
        "[stack]" => Some(Kind::Stack),
        "" => Some(of_file.unwrap_or(Kind::Anonymous)),
        path if path.starts_with("[anon") => Some(Kind::Anonymous),
        path if path.starts_with('[') || path.starts_with("/dev/") => None,
        path if is_libc(path) => Some(Kind::LibcGlobals),
        _ => Some(Kind::Globals),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, parse};

    #[test]
    fn kinds_of_mappings() {
        let smaps = b"\
1000-2000 r-xp 00000000 fe:00 1122                   /bin/program
2000-3000 rw-p 00001000 fe:00 1122                   /bin/program
Rss: 4 kB
VmFlags: rd wr mr mw me ac
3000-4000 rw-p 00000000 00:00 0
5000-6000 rw-p 00000000 00:00 0                      [heap]
7000-8000 rw-p 001d3000 fe:00 326279                 /usr/lib/libc.so.6
8000-9000 rw-p 00000000 00:00 0 
a000-b000 rw-p 00000000 00:00 0 
VmFlags: rd wr mr mw me wf
b000-c000 rw-p 00000000 00:00 0 
c000-d000 rw-s 00000000 00:01 7                      /memfd:kref-track.12 (deleted)
d000-e000 rw-s 00000000 00:01 8                      /dev/dri/card0
e000-f000 rw-p 00003000 fe:00 9                      /usr/lib/libkref_track.so.0
f000-f800 rw-p 00000000 00:00 0                      [stack]
";
        let found: Vec<_> = parse(smaps).iter().map(|region| (region.start, region.kind)).collect();
        let wanted = [
            (0x2000, Kind::Globals),
            (0x3000, Kind::Globals),
            (0x5000, Kind::Heap),
            (0x7000, Kind::LibcGlobals),
            (0x8000, Kind::LibcGlobals),
            (0xb000, Kind::Anonymous),
            (0xf000, Kind::Stack),
        ];
        assert_eq!(found, wanted);
        assert!(parse(b"").is_empty() && parse(b"no maps\nat all").is_empty());
    }
}

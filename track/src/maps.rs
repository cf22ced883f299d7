//! What a process has mapped: the lines of /proc/PID/maps. In /proc/PID/smaps the first line of each entry has
//! the same form.

use std::fs::File;
use std::io::{self, Read};

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// The access as the kernel writes it, such as `r-xp`. The last character is `s` for shared or `p` for private.
    pub access: &'a str,
    /// The file's number in its file system, or 0.
    pub inode: u64,
    /// The file's path, or a name such as `[heap]`, or empty. The kernel's mark ` (deleted)` is cut off.
    pub path: &'a [u8],
    /// Whether the kernel marks the file as deleted. A file whose own name ends in ` (deleted)` looks deleted, too.
    pub is_deleted: bool,
}

/// The memory of a session is a memfd with this name, followed by the judge's process id.
pub const SESSION: &str = "kref-track.";

impl<'a> Line<'a> {
    /// `None` if the line is not of a mapping.
    pub fn of(line: &'a [u8]) -> Option<Self> {
        let mut words = line.splitn(6, |&byte| byte == b' ');
        let mut word = || std::str::from_utf8(words.next()?).ok();
        let (start, end) = word()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end, access) = (number(start)?, number(end)?, word()?);
        let (_offset, _device, inode) = (word()?, word()?, word()?.parse().ok()?);
        let path = words.next().unwrap_or_default().trim_ascii();
        let deleted = path.strip_suffix(b" (deleted)");
        let is_deleted = deleted.is_some();
        Some(Self { start, end, access, inode, path: deleted.unwrap_or(path), is_deleted })
    }

    /// Whether an address is in it.
    pub fn has(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether it is of the same file as another mapping. The path alone does not say: a new file may have the path of an
    /// old one that is still mapped.
    fn is_of_file(&self, other: &Self) -> bool {
        self.path == other.path && self.inode == other.inode
    }

    /// Whether other processes may have the memory, too.
    pub fn is_shared(&self) -> bool {
        self.access.ends_with('s')
    }

    /// The judge's process id, if this is the memory of a session.
    pub fn judge(&self) -> Option<u32> {
        let name = std::str::from_utf8(self.path.strip_prefix(b"/memfd:")?).ok()?;
        name.strip_prefix(SESSION)?.parse().ok()
    }
}

/// Reads the text of a process's mappings.
pub fn read(pid: u32) -> io::Result<Vec<u8>> {
    // The kernel gives at most a page for each read. The buffer is large, so that each read gets a full page.
    let mut text = Vec::with_capacity(1 << 16);
    File::open(format!("/proc/{pid}/maps"))?.read_to_end(&mut text)?;
    Ok(text)
}

/// The mappings that a text lists, sorted by address.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|&byte| byte == b'\n').filter_map(Line::of)
}

/// The files with code that a text lists: the first address of each, and the address behind the last.
pub fn files_with_code(text: &[u8]) -> Vec<(u64, u64)> {
    let all: Vec<_> = lines(text).filter(|line| line.path.starts_with(b"/")).collect();
    let files = all.chunk_by(Line::is_of_file);
    let with_code = files.filter(|file| file.iter().any(|line| line.access.contains('x')));
    with_code.map(|file| (file[0].start, file[file.len() - 1].end)).collect()
}

/// Where the file of this program is mapped: the first address, and the address behind the last.
#[cfg(test)]
pub fn of_this_program() -> (u64, u64) {
    let files = files_with_code(&read(std::process::id()).expect("this process"));
    let here = of_this_program as *const () as u64;
    files.into_iter().find(|file| (file.0..file.1).contains(&here)).expect("this function")
}

#[cfg(test)]
mod tests {
    use super::{Line, files_with_code, lines, read};

    #[test]
    fn a_file() {
        let line = b"7f00-8000 r-xp 00001000 08:01 1234    /usr/lib/my lib.so (deleted)";
        let line = Line::of(line).expect("a mapping");
        assert_eq!((line.start, line.end), (0x7f00, 0x8000));
        assert_eq!((line.inode, line.is_deleted), (1234, true));
        assert_eq!(line.path, b"/usr/lib/my lib.so");
        assert!(line.has(0x7f00) && line.has(0x7fff) && !line.has(0x8000));
        assert!(!line.is_shared() && line.judge().is_none());
    }

    /// /lib/l.so was replaced: the old file (8) is still mapped, next to the new one (9). /usr/share/text has no code.
    #[test]
    fn files() {
        let text = b"1000-2000 r--p 00000000 08:01 7    /bin/program\n\
            2000-3000 r-xp 00001000 08:01 7    /bin/program\n\
            3000-4000 rw-p 00000000 00:00 0 \n\
            4000-5000 rw-p 00002000 08:01 7    /bin/program\n\
            5000-6000 r-xp 00000000 08:01 8    /lib/l.so (deleted)\n\
            6000-7000 r-xp 00000000 08:01 9    /lib/l.so\n\
            7000-8000 r--p 00000000 08:01 10    /usr/share/text\n\
            8000-9000 r-xp 00000000 00:00 0    [vdso]\n";
        let wanted = [(0x1000, 0x5000), (0x5000, 0x6000), (0x6000, 0x7000)];
        assert_eq!(files_with_code(text), wanted);
    }

    #[test]
    fn other_memory() {
        let line = Line::of(b"7f00-8000 rw-s 00000000 00:01 1044    /dev/zero (deleted)");
        assert!(line.is_some_and(|line| line.is_shared() && line.judge().is_none()));
        let line = Line::of(b"7f00-8000 rw-s 00000000 08:01 12    /tmp/no UTF-8: \xff");
        assert!(line.is_some_and(|line| line.is_shared() && line.path.ends_with(b"\xff")));
        let line = Line::of(b"7f00-8000 rw-s 0 00:01 1 /memfd:kref-track.12 (deleted)");
        assert_eq!(line.and_then(|line| line.judge()), Some(12));
        for nameless in
            [&b"1000-2000 rw-p 00000000 00:00 0"[..], b"1000-2000 rw-p 00000000 00:00 0 "]
        {
            assert!(
                Line::of(nameless).is_some_and(|line| line.path.is_empty() && !line.is_deleted)
            );
        }
        assert!(Line::of(b"").is_none() && Line::of(b"Rss: 4 kB").is_none());
        assert!(Line::of(b"VmFlags: rd wr mr mw me ac").is_none());
    }

    #[test]
    fn this_process() {
        let text = read(std::process::id()).expect("a process that is there");
        let here = this_process as *const () as u64;
        let line = lines(&text).find(|line| line.has(here)).expect("a mapping of this program");
        assert_eq!(line.access, "r-xp");
        assert!(read(u32::MAX).is_err());
    }
}

//! The files that programs have mapped: opened when a recorder first names them, and kept open.
//!
//! A file may have been replaced since the program was started. A file is used only if it is the one that was
//! mapped: by the kernel's own link to it, by its inode, or by its build-id.

use std::cell::{Cell, OnceCell};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::debug::{Debug, Places, Subject};
use crate::elf::{self, Functions, Segment};
use crate::files::{bytes, open};
use crate::maps::{self, Line};
use crate::names::Names;

/// A file that was mapped. It stays known for good: stacks that went through it stay in reports.
pub struct Module {
    /// Its number among the files of a session, or of a trace. 0: none yet.
    pub number: Cell<u32>,
    /// The file's name, for reports.
    pub name: &'static str,
    /// Its path.
    pub path: PathBuf,
    /// Its build-id, if it has one.
    pub build_id: Option<Vec<u8>>,
    inode: Option<(u64, u64)>,
    file: Option<File>,
    debug: OnceCell<Option<Box<Debug>>>,
    functions: OnceCell<Option<Functions>>,
}

/// What a recorder says of a mapping.
pub struct Mapping<'a> {
    /// The first address.
    pub start: u64,
    /// What the file's addresses are relative to.
    pub bias: u64,
    /// The path, as the loader knows it.
    pub path: &'a [u8],
}

impl Mapping<'_> {
    /// Whether a line of /proc/PID/maps is of the file that the recorder has named. Another program may be there now.
    fn can_be(&self, line: &Line) -> bool {
        // libm.so.6 may be a link to libm.so.6.1.
        let name = |path: &[u8]| {
            let path = String::from_utf8_lossy(path).into_owned();
            let name = path.rsplit('/').next().unwrap_or_default();
            name.split(".so").next().unwrap_or_default().to_string()
        };
        self.path.is_empty() || name(self.path) == name(line.path)
    }
}

impl Module {
    /// Opens the file of a mapping in a process that is alive, if it is there. `since` is a time before the process
    /// was started. `text` lists the process's mappings.
    pub fn of_process(
        pid: u32,
        text: &[u8],
        mapping: &Mapping,
        since: SystemTime,
        names: &Names,
    ) -> Self {
        let line = maps::lines(text).find(|line| line.has(mapping.start));
        let line = line.filter(|line| mapping.can_be(line));
        let id = memory_build_id(pid, mapping);
        let named = line.as_ref().map_or(mapping.path, |line| line.path);
        let path = PathBuf::from(OsStr::from_bytes(named));
        let file = line.as_ref().and_then(|line| linked(pid, line)).or_else(|| {
            // As the program sees it, which may have another root, and another directory.
            let base = if path.is_absolute() { "root" } else { "cwd/" };
            let mut seen = format!("/proc/{pid}/{base}").into_bytes();
            seen.extend(path.as_os_str().as_bytes());
            let places = [Path::new(OsStr::from_bytes(&seen)), &path];
            let mut files = places.into_iter().filter_map(open);
            files.find(|file| is_same(file, line.as_ref(), id.as_deref(), since))
        });
        Self::new(path, id, file, names)
    }

    /// Opens the file of a trace, if it still has the build-id, or else is older than the trace.
    pub fn of_trace(path: &[u8], id: Option<Vec<u8>>, since: SystemTime, names: &Names) -> Self {
        let path = PathBuf::from(OsStr::from_bytes(path));
        let file = open(&path).filter(|file| is_same(file, None, id.as_deref(), since));
        Self::new(path, id, file, names)
    }

    fn new(path: PathBuf, id: Option<Vec<u8>>, file: Option<File>, names: &Names) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let inode = file.as_ref().and_then(|file| file.metadata().ok());
        Self {
            number: Cell::new(0),
            name: names.kept(name.as_bytes()),
            build_id: id.or_else(|| file_build_id(file.as_ref()?)),
            inode: inode.map(|data| (data.dev(), data.ino())),
            path,
            file,
            debug: OnceCell::new(),
            functions: OnceCell::new(),
        }
    }

    /// Whether it is the same file, so that one of both is enough.
    pub fn is(&self, other: &Self) -> bool {
        let numbers = [self.number.get(), other.number.get()];
        self.path == other.path
            && self.build_id == other.build_id
            && self.inode == other.inode
            && (numbers[0] == numbers[1] || numbers.contains(&0))
    }

    /// Whether its file was found.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// When it was written.
    pub fn written(&self) -> Option<SystemTime> {
        self.file.as_ref()?.metadata().ok()?.modified().ok()
    }

    /// Whether it is libkref.so.
    pub fn is_libkref(&self) -> bool {
        self.name.starts_with("libkref.so")
    }

    /// The file's debug information and symbols.
    pub fn debug(&self, places: &Places) -> Option<&Debug> {
        let load = || {
            let (file, build_id) = (self.file.as_ref(), self.build_id.as_deref());
            let subject = Subject { path: &self.path, build_id, file };
            Debug::new(&subject, places).map(Box::new)
        };
        self.debug.get_or_init(load).as_deref()
    }

    /// Where the function around an address begins, without the load bias.
    pub fn function(&self, address: u64) -> Option<u64> {
        let load = || {
            let file = self.file.as_ref()?;
            let segments = elf::segments(&|at, length| bytes(file, at, length))?;
            let table = segments.iter().find(|part| part.kind == libc::PT_GNU_EH_FRAME)?;
            Functions::new(table.address, bytes(file, table.offset, table.size)?)
        };
        self.functions.get_or_init(load).as_ref()?.start(address)
    }
}

/// Where files with code are mapped in a process: the first address, the address behind the last, and the load bias.
/// `text` lists the process's mappings.
pub fn mapped(pid: u32, text: &[u8]) -> Vec<(u64, u64, u64)> {
    let files = maps::files_with_code(text).into_iter();
    files.filter_map(|(start, end)| Some((start, end, bias(pid, start)?))).collect()
}

fn bias(pid: u32, start: u64) -> Option<u64> {
    let segments = elf::segments(&|at, length| memory(pid, start.wrapping_add(at), length))?;
    let first = segments.iter().find(|segment| segment.kind == libc::PT_LOAD)?;
    Some(start.wrapping_sub(first.address & !4095))
}

/// The mapped file, through the kernel's links. They lead to the file itself, even if it was renamed or deleted.
fn linked(pid: u32, line: &Line) -> Option<File> {
    open(&link(pid, line)).or_else(|| {
        let program = open(Path::new(&format!("/proc/{pid}/exe")))?;
        (program.metadata().ok()?.ino() == line.inode).then_some(program)
    })
}

/// The kernel's link to a mapped file. In contrast to the lines of /proc/PID/maps, its name has no zeros in front of small
/// addresses.
fn link(pid: u32, line: &Line) -> PathBuf {
    format!("/proc/{pid}/map_files/{:x}-{:x}", line.start, line.end).into()
}

/// Whether a file that was found by its path is the one that was mapped.
fn is_same(file: &File, line: Option<&Line>, id: Option<&[u8]>, since: SystemTime) -> bool {
    let Ok(data) = file.metadata() else { return false };
    if let (Some(wanted), Some(found)) = (id, file_build_id(file)) {
        return *wanted == *found;
    }
    match line {
        Some(line) => !line.is_deleted && data.ino() == line.inode,
        None => changed(&data) <= since,
    }
}

/// When a file was last changed, or put to its place: a file that was moved keeps the time of its contents.
fn changed(data: &std::fs::Metadata) -> SystemTime {
    let time = |seconds: i64, nanoseconds: i64| {
        let (seconds, nanoseconds) = (seconds.max(0) as u64, nanoseconds.max(0) as u64);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
    };
    time(data.mtime(), data.mtime_nsec()).max(time(data.ctime(), data.ctime_nsec()))
}

fn file_build_id(file: &File) -> Option<Vec<u8>> {
    let segments = elf::segments(&|at, length| bytes(file, at, length))?;
    elf::build_id(&segments, &|segment: &Segment| bytes(file, segment.offset, segment.size))
}

/// The build-id of what a process has mapped.
fn memory_build_id(pid: u32, mapping: &Mapping) -> Option<Vec<u8>> {
    let segments =
        elf::segments(&|at, length| memory(pid, mapping.start.wrapping_add(at), length))?;
    elf::build_id(&segments, &|segment: &Segment| {
        memory(pid, mapping.bias.wrapping_add(segment.address), segment.size)
    })
}

/// Bytes of a process's memory.
pub fn memory(pid: u32, address: u64, length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|&length| length <= 1 << 20)?;
    let mut bytes = vec![0_u8; length];
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
    // SAFETY: the kernel writes into `bytes`, and checks the other address.
    let read = unsafe { libc::process_vm_readv(pid as i32, &here, 1, &there, 1, 0) };
    (usize::try_from(read) == Ok(length)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::time::SystemTime;

    use super::{Mapping, Module};
    use crate::debug::Places;
    use crate::maps;
    use crate::names::Names;

    /// The mapping of a function of this program.
    fn here() -> (u64, u64) {
        (maps::of_this_program().0, here as *const () as u64)
    }

    #[test]
    fn where_this_program_is_mapped() {
        let (start, address) = here();
        let pid = std::process::id();
        let mapped = super::mapped(pid, &maps::read(pid).expect("this process"));
        let own = mapped.iter().find(|file| file.0 == start).expect("this program");
        assert!((own.0..own.1).contains(&address) && own.2 == start);
    }

    #[test]
    fn the_mapped_file_is_found_and_knows_its_functions() {
        let (start, address) = here();
        let mapping = Mapping { start, bias: start, path: b"" };
        let names = Names::default();
        let pid = std::process::id();
        let text = maps::read(pid).expect("this process");
        let module = Module::of_process(pid, &text, &mapping, SystemTime::UNIX_EPOCH, &names);
        let places = Places::new(None);
        assert!(module.debug(&places).is_some());
        assert_eq!(module.function(address + 1 - start), Some(address - start));
    }

    /// A program that is not position-independent is at a small address. /proc/PID/maps writes zeros in front of it.
    #[test]
    fn the_link_of_a_small_address() {
        const ADDRESS: u64 = 0x10_0000;
        let file = File::open("/bin/sh").expect("a shell");
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE;
        let (place, fd) = (ADDRESS as *mut libc::c_void, file.as_raw_fd());
        // SAFETY: nothing is mapped there, or else the call fails.
        let mapped = unsafe { libc::mmap(place, 4096, libc::PROT_READ, flags, fd, 0) };
        assert_eq!(mapped, place);
        let pid = std::process::id();
        let text = maps::read(pid).expect("this process");
        let line = maps::lines(&text).find(|line| line.has(ADDRESS)).expect("the mapping");
        assert!(super::link(pid, &line).is_symlink());
    }

    #[test]
    fn a_replaced_file_is_not_used() {
        let (names, places) = (Names::default(), Places::new(None));
        let now = SystemTime::now();
        let shell = Module::of_trace(b"/bin/sh", Some(vec![1, 2, 3]), now, &names);
        assert!(shell.debug(&places).is_none(), "another build-id");
        let shell = Module::of_trace(b"/bin/sh", None, SystemTime::UNIX_EPOCH, &names);
        assert!(shell.debug(&places).is_none(), "changed since");
        assert!(Module::of_trace(b"/bin/sh", None, now, &names).debug(&places).is_some());
    }
}

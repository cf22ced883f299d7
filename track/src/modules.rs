//! The program and its libraries: where they are, and where their unwinding tables are.

use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::lock::Lock;

/// A loaded file. It stays known after it was unloaded: stacks that went through it stay in reports.
pub struct Module {
    /// What its addresses are relative to.
    pub base: u64,
    /// Where its code and data lie.
    pub range: Range<u64>,
    /// The file.
    pub path: PathBuf,
    /// The file's name, for reports.
    pub name: &'static str,
    /// .eh_frame_hdr and where it is.
    pub header: Option<Section>,
    /// .eh_frame and where it is.
    pub frames: Option<Section>,
}

/// A part of a module's memory.
#[derive(Clone)]
pub struct Section {
    /// Relative to the module's base.
    pub start: u64,
    /// A copy, unless the module stays for good.
    pub bytes: &'static [u8],
}

/// What the loader counts.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation {
    loaded: u64,
    unloaded: u64,
}

/// The modules that are there now.
pub struct Modules {
    generation: Generation,
    present: Vec<&'static Module>,
}

static MODULES: Lock<Modules> =
    Lock::new(Modules { generation: Generation { loaded: 0, unloaded: 0 }, present: Vec::new() });
static LIBKREF: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Whether `ip` is in libkref.so.
pub fn is_libkref(ip: u64) -> bool {
    (LIBKREF[0].load(Relaxed)..LIBKREF[1].load(Relaxed)).contains(&ip)
}

/// Whether there is a libkref.so: in a program with libkref.a its frames are the program's.
pub fn libkref_is_shared() -> bool {
    LIBKREF[1].load(Relaxed) != 0
}

/// The module at an address.
pub fn at(ip: u64) -> Option<&'static Module> {
    MODULES.lock().present.iter().find(|module| module.range.contains(&ip)).copied()
}

/// Looks whether the loader has loaded or unloaded something; if so, gives what is there to `renew`.
pub fn refresh(renew: impl FnOnce(&[&'static Module])) -> bool {
    let mut modules = MODULES.lock();
    let generation = generation();
    if generation == modules.generation {
        return false;
    }
    let mut seen = Vec::new();
    each(|info| {
        if let Some(module) = module(info, &modules.present) {
            seen.push(module);
        }
        true
    });
    for module in &seen {
        if module.name.starts_with("libkref.so") {
            LIBKREF[0].store(module.range.start, Relaxed);
            LIBKREF[1].store(module.range.end, Relaxed);
        }
    }
    modules.present = seen;
    modules.generation = generation;
    renew(&modules.present);
    true
}

/// How often the loader has unloaded: the same address may mean something else after it.
pub fn unloaded() -> u64 {
    MODULES.lock().generation.unloaded
}

/// Around a fork.
pub fn before_fork() {
    MODULES.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    MODULES.give_back();
}

fn generation() -> Generation {
    let mut found = Generation::default();
    each(|info| {
        found = Generation { loaded: info.dlpi_adds, unloaded: info.dlpi_subs };
        false
    });
    found
}

fn each(mut look: impl FnMut(&libc::dl_phdr_info) -> bool) {
    type Look<'a> = &'a mut dyn FnMut(&libc::dl_phdr_info) -> bool;
    unsafe extern "C" fn call(
        info: *mut libc::dl_phdr_info,
        _: usize,
        look: *mut libc::c_void,
    ) -> i32 {
        // SAFETY: what dl_iterate_phdr was given below, and the loader's own structure.
        let (look, info) = unsafe { (&mut *look.cast::<Look>(), &*info) };
        i32::from(!look(info))
    }
    let mut look: Look = &mut look;
    // SAFETY: `call` knows what its last argument is.
    unsafe { libc::dl_iterate_phdr(Some(call), (&raw mut look).cast()) };
}

/// The module that `info` tells of: a known one if it is the same.
fn module(info: &libc::dl_phdr_info, known: &[&'static Module]) -> Option<&'static Module> {
    // SAFETY: the loader's array, while it calls us.
    let segments = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr;
    let loaded = || segments.iter().filter(|segment| segment.p_type == libc::PT_LOAD);
    let start = base.wrapping_add(loaded().map(|segment| segment.p_vaddr).min()?);
    let end = base.wrapping_add(loaded().map(|segment| segment.p_vaddr + segment.p_memsz).max()?);
    // SAFETY: the loader's C string.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) };
    let program = name.is_empty();
    let path = if program {
        std::fs::read_link("/proc/self/exe").unwrap_or_default()
    } else {
        PathBuf::from(OsStr::from_bytes(name.to_bytes()))
    };
    let same = |module: &&&Module| module.base == base && module.range == (start..end);
    if let Some(module) = known.iter().find(|module| same(module) && module.path == path) {
        return Some(module);
    }
    let section = |address: u64, end: u64| Section {
        start: address.wrapping_sub(base),
        bytes: bytes(address, end, program),
    };
    let header = segments.iter().find(|segment| segment.p_type == libc::PT_GNU_EH_FRAME);
    let header = header.map(|segment| {
        let address = base.wrapping_add(segment.p_vaddr);
        section(address, address + segment.p_memsz)
    });
    let frames = header.as_ref().and_then(|header| {
        let address = frames_address(header, base)?;
        let whole = loaded().map(|segment| (base.wrapping_add(segment.p_vaddr), segment.p_memsz));
        let (start, size) =
            whole.into_iter().find(|&(start, size)| (start..start + size).contains(&address))?;
        Some(section(address, start + size))
    });
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned().leak();
    Some(Box::leak(Box::new(Module { base, range: start..end, path, name, header, frames })))
}

/// Memory of a module: as it lies there if it stays, else a copy, since it may be unloaded while another
/// thread reads.
fn bytes(start: u64, end: u64, stays: bool) -> &'static [u8] {
    // SAFETY: the loader says that this memory is mapped, and it is read-only.
    let bytes = unsafe { std::slice::from_raw_parts(start as *const u8, (end - start) as usize) };
    if stays { bytes } else { bytes.to_vec().leak() }
}

/// What every linker writes at the header's start: version 1; .eh_frame's address relative to here; a
/// count of four bytes; a table of addresses relative to the header's start, in order.
const USUAL: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

impl Section {
    fn word(&self, offset: usize) -> Option<[u8; 4]> {
        self.bytes.get(offset..offset + 4)?.try_into().ok()
    }

    fn offset(&self, offset: usize) -> Option<i64> {
        Some(i32::from_le_bytes(self.word(offset)?).into())
    }
}

/// Where .eh_frame is.
fn frames_address(header: &Section, base: u64) -> Option<u64> {
    if header.word(0)? != USUAL {
        return None;
    }
    Some(base.wrapping_add(header.start + 4).wrapping_add_signed(header.offset(4)?))
}

impl Module {
    /// Where the function around `ip` begins, by the unwinding tables: a stripped file has them, too.
    pub fn function(&self, ip: u64) -> Option<u64> {
        let header = self.header.as_ref().filter(|header| header.word(0) == Some(USUAL))?;
        let start = self.base.wrapping_add(header.start);
        let wanted = ip.wrapping_sub(start) as i64;
        let (mut low, mut high) = (0, u32::from_le_bytes(header.word(8)?) as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            if header.offset(12 + 8 * middle)? <= wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(start.wrapping_add_signed(header.offset(12 + 8 * low.checked_sub(1)?)?))
    }
}

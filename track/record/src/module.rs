//! The program and its libraries: where they are, and where their unwinding tables are.
//!
//! `_dl_find_object` (glibc 2.35) finds the module of an address without a lock. A module that was not seen before
//! becomes a record.

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use wire::record::{Kind, MOST_WORDS};

use crate::cfi::Section;
use crate::event::Name;
use crate::session;
use crate::thread::Guard;
use crate::write::{self, Body};

/// glibc's struct dl_find_object.
#[repr(C)]
struct Found {
    flags: u64,
    start: u64,
    end: u64,
    map: *const LinkMap,
    /// The segment PT_GNU_EH_FRAME.
    header: u64,
    reserved: [u64; 7],
}

/// The public part of the loader's struct link_map.
#[repr(C)]
struct LinkMap {
    bias: u64,
    name: *const c_char,
}

type Find = unsafe extern "C" fn(*const c_void, *mut Found) -> c_int;

/// `_dl_find_object`, or 0.
static FIND: AtomicUsize = AtomicUsize::new(0);
/// Where libkref.so is.
static LIBKREF: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Changes when a module was found where another one was: what is remembered of addresses is wrong then.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The least page.
const PAGE: u64 = 4096;

/// Modules that were seen.
const SEEN: usize = 512;
static MODULES: [Seen; SEEN] = [const { Seen::new() }; SEEN];

/// Release functions whose modules were recorded, with the generation.
const RELEASES: usize = 64;
static RELEASE: [AtomicU64; RELEASES] = [const { AtomicU64::new(0) }; RELEASES];

/// A module that was seen.
struct Seen {
    /// 0: none.
    start: AtomicU64,
    end: AtomicU64,
    /// What tells this module from another one at the same place.
    identity: AtomicU64,
}

impl Seen {
    const fn new() -> Self {
        Self { start: AtomicU64::new(0), end: AtomicU64::new(0), identity: AtomicU64::new(0) }
    }
}

/// A loaded module.
#[derive(Clone, Copy)]
pub struct Module {
    /// The first address.
    pub start: u64,
    /// The address behind the last one.
    pub end: u64,
    /// The address of .eh_frame_hdr, or 0.
    pub header: u64,
    map: *const LinkMap,
}

/// Finds the loader's function, and libkref.so.
pub fn set_up() {
    // SAFETY: a C string.
    let find = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND.store(find.addr(), Relaxed);
}

/// Notes where libkref.so is: at an address of its code, unless a program has linked libkref.a.
pub fn note_libkref(ip: u64) {
    if LIBKREF[1].load(Relaxed) != 0 {
        return;
    }
    if let Some(module) = at(ip)
        && module.is_libkref()
    {
        LIBKREF[0].store(module.start, Relaxed);
        LIBKREF[1].store(module.end, Relaxed);
    }
}

/// Whether `ip` is in libkref.so.
#[inline]
pub fn is_libkref(ip: u64) -> bool {
    (LIBKREF[0].load(Relaxed)..LIBKREF[1].load(Relaxed)).contains(&ip)
}

/// Whether there is a libkref.so. In a program with libkref.a its frames are the program's.
pub fn libkref_is_shared() -> bool {
    LIBKREF[1].load(Relaxed) != 0
}

/// Another number when an address may mean something else than before.
#[inline]
pub fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// The module at an address.
pub fn at(ip: u64) -> Option<Module> {
    let find = FIND.load(Relaxed);
    if find == 0 {
        return None;
    }
    let mut found =
        Found { flags: 0, start: 0, end: 0, map: core::ptr::null(), header: 0, reserved: [0; 7] };
    // SAFETY: the function of this name has this type.
    let missing =
        unsafe { core::mem::transmute::<usize, Find>(find)(ip as *const c_void, &mut found) };
    if missing != 0 || found.map.is_null() {
        return None;
    }
    let _ = found.flags;
    Some(Module { start: found.start, end: found.end, header: found.header, map: found.map })
}

/// Records the module of a release function, if it was not seen before. Perhaps no stack ever has a function of this
/// module, and the module is unloaded before the judge reads the function's address.
#[inline]
pub fn meet_release(release: u64, guard: &mut Guard) {
    let key = release ^ generation().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (release.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % RELEASES;
    let Some(known) = RELEASE.get(place) else { return };
    if release != 0 && known.load(Relaxed) != key {
        known.store(key, Relaxed);
        meet_at(release, guard);
    }
}

#[cold]
#[inline(never)]
fn meet_at(address: u64, guard: &mut Guard) {
    if let Some(module) = at(address) {
        module.meet(guard);
    }
}

impl Module {
    /// What its addresses are relative to.
    fn bias(&self) -> u64 {
        // SAFETY: the loader's structure of a module that is loaded: a frame of this thread is in it, or this thread has
        // just called libkref with a pointer to one of its functions.
        unsafe { (*self.map).bias }
    }

    /// The file's name; empty for the program.
    fn name(&self) -> *const c_char {
        // SAFETY: as above.
        unsafe { (*self.map).name }
    }

    fn is_libkref(&self) -> bool {
        let name = Name::up_to(4096, self.name());
        let starts =
            |at: usize| b"libkref.so".iter().zip(at..).all(|(byte, at)| name.byte(at) == *byte);
        let after_slash = (0..name.length).rev().find(|&at| name.byte(at) == b'/');
        starts(after_slash.map_or(0, |slash| slash + 1))
    }

    /// The segment with the unwinding tables, by the program headers behind the module's first address.
    pub fn section(&self) -> Option<Section<'static>> {
        if self.header == 0 {
            return None;
        }
        // SAFETY: the loader has mapped the first page of the file there, or at least a page of the module.
        let file = unsafe { &*(self.start as *const libc::Elf64_Ehdr) };
        let bias = self.bias();
        let headers = self.start.wrapping_add(file.e_phoff);
        let size = size_of::<libc::Elf64_Phdr>() as u64;
        let count = u64::from(file.e_phnum);
        if file.e_ident.first_chunk() != Some(b"\x7fELF") || file.e_phoff + count * size > PAGE {
            return None;
        }
        (0..count).find_map(|index| {
            // SAFETY: in the first page of the file.
            let segment = unsafe { &*((headers + index * size) as *const libc::Elf64_Phdr) };
            let address = bias.wrapping_add(segment.p_vaddr);
            let has_it = segment.p_type == libc::PT_LOAD
                && self.header.wrapping_sub(address) < segment.p_filesz;
            // SAFETY: a loaded segment, of which nobody writes the unwinding tables. A frame of this thread is in
            // the module, so the module stays.
            has_it.then(|| unsafe {
                let bytes =
                    core::slice::from_raw_parts(address as *const u8, segment.p_filesz as usize);
                Section { bytes, address }
            })
        })
    }

    /// What tells this module from another one at the same place: the loader's structure, and the beginning of the
    /// unwinding table, where other code has other numbers.
    fn identity(&self) -> u64 {
        let mut identity = self.map.addr() as u64 ^ self.end.rotate_left(17);
        let room = self.end.saturating_sub(self.header) / 8;
        if self.header != 0 && self.header.is_multiple_of(4) {
            for at in 0..room.min(8) {
                // SAFETY: .eh_frame_hdr lies in the module, and is longer than the numbers of functions that were
                // looked at here, or the segment's page is.
                let word = unsafe { ((self.header + 8 * at) as *const u64).read_unaligned() };
                identity = (identity ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            }
        }
        identity | 1
    }

    /// Records the module, if it was not seen before.
    pub fn meet(&self, guard: &mut Guard) {
        let identity = self.identity();
        let first = (self.start >> 12) as usize;
        let places = || (0..SEEN).filter_map(|turn| MODULES.get((first + turn) % SEEN));
        let mut free = None;
        for seen in places() {
            let start = seen.start.load(Acquire);
            if start == self.start && seen.identity.load(Relaxed) == identity {
                return;
            }
            if start == 0 {
                free = Some(seen);
                break;
            }
        }
        self.meet_new(identity, free, guard);
    }

    #[cold]
    #[inline(never)]
    fn meet_new(&self, identity: u64, free: Option<&Seen>, guard: &mut Guard) {
        // What was where this module is now was unloaded.
        let mut reused = None;
        for seen in &MODULES {
            let (start, end) = (seen.start.load(Acquire), seen.end.load(Relaxed));
            if start != 0 && start < self.end && self.start < end {
                seen.identity.store(0, Relaxed);
                reused = reused.or(Some(seen).filter(|_| start == self.start));
                GENERATION.fetch_add(1, Relaxed);
            }
        }
        self.record(guard);
        if let Some(seen) = reused.or(free) {
            seen.end.store(self.end, Relaxed);
            seen.identity.store(identity, Relaxed);
            // Release: pairs with the acquire in `meet`.
            seen.start.store(self.start, Release);
        }
    }

    fn record(&self, guard: &mut Guard) {
        const FRONT: usize = 5;
        let Some(head) = session::head() else { return };
        let number = head.modules.fetch_add(1, Relaxed);
        let most = 8 * (MOST_WORDS - FRONT);
        let mut name = Name::up_to(most + 1, self.name());
        // A name that is cut is no name: the judge looks into /proc.
        if name.length > most {
            name.length = 0;
        }
        let front: [u64; FRONT] =
            [number.into(), self.start, self.end, self.bias(), name.length as u64];
        let others = name.length.div_ceil(8);
        let body = Body { kind: Kind::Module, front: &front, others, other: |at| name.word(at) };
        write::record(guard, body);
    }
}

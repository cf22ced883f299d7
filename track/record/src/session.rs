//! The memory that is shared with the judge.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use wire::head::{Head, MAGIC, Settings};
use wire::ring::{Ring, Writers};

use crate::{last_words, process};

/// More rings than this are not used.
const MOST_RINGS: usize = 64;

struct Rings(UnsafeCell<[Option<Ring<'static>>; MOST_RINGS]>);

// SAFETY: `open` alone writes, before any thread has seen `HEAD`.
unsafe impl Sync for Rings {}

static HEAD: AtomicPtr<Head> = AtomicPtr::new(ptr::null_mut());
static RINGS: Rings = Rings(UnsafeCell::new([None; MOST_RINGS]));
static MAPPED: AtomicU32 = AtomicU32::new(0);
/// The judge does not read any more. The program goes on untracked, for good.
static GONE: AtomicBool = AtomicBool::new(false);

/// The first page. `None`: nothing is tracked, or the judge is gone.
#[inline]
pub fn head() -> Option<&'static Head> {
    if GONE.load(Relaxed) {
        return None;
    }
    // SAFETY: null, or mapped for good. Acquire: pairs with the release in `open`.
    unsafe { HEAD.load(Acquire).as_ref() }
}

/// Nothing is recorded from now on. If the judge is there after all, and was only slow, its report says that something
/// is missing.
#[cold]
pub fn give_up() {
    // SAFETY: null, or mapped for good. Acquire: pairs with the release in `open`.
    let head = unsafe { HEAD.load(Acquire).as_ref() };
    if !GONE.swap(true, Relaxed)
        && let Some(head) = head
    {
        head.dropped.fetch_add(1, Relaxed);
        last_words::say();
    }
}

/// The index of a ring that all may use, for a thread by its number.
pub fn ring_of(thread: u32) -> u32 {
    2 * thread.checked_rem(MAPPED.load(Relaxed).div_ceil(2)).unwrap_or(0)
}

/// Who uses a ring: every second one belongs to one thread at a time.
#[inline]
pub fn writers(index: u32) -> Writers {
    if index.is_multiple_of(2) { Writers::All } else { Writers::One }
}

/// The index of a ring that is now the thread's own, or, if there is none, of one that all may use.
pub fn claim(process: u32, thread: u32) -> u32 {
    let mut owned = (1..MAPPED.load(Relaxed)).step_by(2);
    let is_claimed = |&index: &u32| ring(index).is_some_and(|ring| ring.claim(process, thread));
    let own = if process::may_own() { owned.find(is_claimed) } else { None };
    own.unwrap_or_else(|| ring_of(thread))
}

/// A ring by its index.
#[inline]
pub fn ring(index: u32) -> Option<&'static Ring<'static>> {
    // SAFETY: written before `HEAD` was set, and never again.
    unsafe { (*RINGS.0.get()).get(index as usize)?.as_ref() }
}

/// The judge's settings.
pub fn settings() -> Option<&'static Settings> {
    head().map(|head| &head.settings)
}

/// The part of the memory that has answers.
pub fn answer(head: &'static Head) -> *const u8 {
    (&raw const *head).cast::<u8>().wrapping_add(Head::answer_at())
}

/// Opens and maps the memory. `false`: there is none at this path.
pub fn open(path: &CStr) -> bool {
    // SAFETY: a C string.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    if file < 0 {
        return false;
    }
    let opened = map(file);
    // SAFETY: opened above.
    unsafe { libc::close(file) };
    opened
}

fn map(file: i32) -> bool {
    let Some(first) = map_bytes(file, size_of::<Head>()) else { return false };
    // SAFETY: the memory is at least a page, and the judge has filled it in if it has the magic number.
    let head = unsafe { &*first.cast::<Head>() };
    // Acquire: pairs with the judge's release, which is its last store of the head.
    if head.magic.load(Acquire) != MAGIC {
        return false;
    }
    // As many rings as there is room for. Of a limited address space, a small part: the program needs the rest.
    let all = (head.rings as usize).min(MOST_RINGS).min(most_under_limit(head));
    let mapped = (1..=all)
        .rev()
        .find_map(|rings| map_bytes(file, head.ring_at(rings)).map(|start| (rings, start)));
    let Some((rings, start)) = mapped else { return false };
    for index in 0..rings {
        // SAFETY: the ring is mapped for good, and zero at first.
        let ring = unsafe { Ring::at(start.add(head.ring_at(index)), head.ring_bytes as usize) };
        // SAFETY: nobody reads the rings before `HEAD` is set.
        if let Some(place) = unsafe { (*RINGS.0.get()).get_mut(index) } {
            *place = ring;
        }
    }
    MAPPED.store(rings as u32, Relaxed);
    // Release: pairs with the acquire in `head`.
    HEAD.store(start.cast(), Release);
    // SAFETY: mapped above, and used no more.
    unsafe { libc::munmap(first.cast(), size_of::<Head>()) };
    true
}

/// How many rings take no more than a sixteenth of RLIMIT_AS, and at least one.
fn most_under_limit(head: &Head) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } != 0 {
        return 1;
    }
    let rings = (limit.rlim_cur / 16).checked_div(head.ring_bytes.into()).unwrap_or(0);
    usize::try_from(rings).unwrap_or(usize::MAX).max(1)
}

fn map_bytes(file: i32, bytes: usize) -> Option<*mut u8> {
    // SAFETY: `stat` is ours to fill, and zeros are a stat.
    let size = unsafe {
        let mut stat: libc::stat = core::mem::zeroed();
        if libc::fstat(file, &mut stat) != 0 {
            return None;
        }
        stat.st_size
    };
    if (size as u64) < bytes as u64 {
        return None;
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: new memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, libc::MAP_SHARED, file, 0) };
    (start != libc::MAP_FAILED).then_some(start.cast())
}

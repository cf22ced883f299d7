//! The memory of released objects is kept for a while when it is freed: with its count as the last put has left it, so
//! that a later get or put is caught, and filled, so that a later write is. Without this the memory may look like
//! anything by then.

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use wire::head::KEEP_FREED;
use wire::record::Kind;

use crate::event::{Event, record};
use crate::{freed, marks, session, thread};

/// With --keep-freed at most so many pieces are kept, of so many bytes together.
const PIECES: usize = 65536;
const BYTES: usize = 64 << 20;
/// Without it, so many: what stays in the processor's caches.
const FEW_PIECES: usize = 4096;
const FEW_BYTES: usize = 1 << 20;
/// A piece of more than this part of the bytes would take the place of too many others.
const LARGEST_PART: usize = 8;
/// What is written into the memory: no address, and no count that is alive.
const FILL: u32 = 0x6b6b_6b6b;
/// The piece is as it was when it was freed.
const UNFILLED: u32 = 1 << 31;

/// The pieces, in a circle. 0: none.
static KEPT: [AtomicUsize; PIECES] = [const { AtomicUsize::new(0) }; PIECES];
/// The bytes of each, and [`UNFILLED`].
static SIZES: [AtomicU32; PIECES] = [const { AtomicU32::new(0) }; PIECES];
/// The pieces that were put into the circle since the beginning, and those that were taken out.
static FIRST: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);
/// The bytes of all that are kept.
static SIZE: AtomicUsize = AtomicUsize::new(0);

/// Keeps memory that was freed, filled or as it is. `false`: it must be freed now.
pub fn keep(memory: *mut c_void, size: usize, is_filled: bool) -> bool {
    let Some(settings) = session::settings().filter(|_| session::head().is_some()) else {
        return false;
    };
    let (pieces, bytes) =
        if settings.flags & KEEP_FREED != 0 { (PIECES, BYTES) } else { (FEW_PIECES, FEW_BYTES) };
    if size > bytes / LARGEST_PART {
        return false;
    }
    if is_filled {
        let words = words(memory.addr(), size);
        words.filter(|word| !marks::is_over(word.load(Relaxed))).for_each(|word| {
            word.store(FILL, Relaxed);
        });
    }
    SIZE.fetch_add(size, Relaxed);
    let index = LAST.fetch_add(1, Relaxed);
    let Some((place, bytes_there)) = place(index) else { return false };
    // AcqRel: another thread's free() follows its program's accesses.
    let old = place.swap(memory.addr(), AcqRel);
    let how = size as u32 | if is_filled { 0 } else { UNFILLED };
    let_go(old, bytes_there.swap(how, Relaxed));
    while SIZE.load(Relaxed) > bytes || index - FIRST.load(Relaxed).min(index) >= pieces as u64 {
        let first = FIRST.load(Relaxed);
        if first > index {
            break;
        }
        if FIRST.compare_exchange(first, first + 1, Relaxed, Relaxed).is_ok()
            && let Some((place, bytes_there)) = self::place(first)
        {
            let how = bytes_there.load(Relaxed);
            let_go(place.swap(0, Acquire), how);
        }
    }
    true
}

/// The program ends: what is kept is looked at for the last time.
pub fn check_all() {
    for (place, size) in KEPT.iter().zip(&SIZES) {
        let piece = place.load(Acquire);
        if piece != 0 {
            check(piece, size.load(Relaxed));
        }
    }
}

fn place(index: u64) -> Option<(&'static AtomicUsize, &'static AtomicU32)> {
    let at = index as usize % PIECES;
    Some((KEPT.get(at)?, SIZES.get(at)?))
}

/// Frees a piece that was kept.
fn let_go(piece: usize, how: u32) {
    if piece == 0 {
        return;
    }
    check(piece, how);
    SIZE.fetch_sub((how & !UNFILLED) as usize, Relaxed);
    // SAFETY: the program freed the piece some time ago, and no other thread has taken it out of the circle.
    unsafe { freed::free_now(piece as *mut c_void) };
}

/// Tells of a write into memory that is kept: the first one in the order of the addresses.
fn check(piece: usize, how: u32) {
    if how & UNFILLED != 0 {
        return;
    }
    let size = how as usize;
    let is_as_it_was = |value: u32| value == FILL || marks::is_over(value);
    let Some(written) = words(piece, size).find(|word| !is_as_it_was(word.load(Relaxed))) else {
        return;
    };
    let count = words(piece, size).find(|word| marks::is_over(word.load(Relaxed)));
    let marker = 0_u64;
    if let (Some(count), Some(mut guard)) = (count, thread::enter(&raw const marker as u64)) {
        let count = core::ptr::from_ref(count).addr();
        let detail = core::ptr::from_ref(written).addr() as u64;
        record(&Event { detail, ..Event::of(Kind::Written, count) }, 0, &mut guard);
    }
}

/// Memory that is kept, or about to be, as words: atomic ones, since a program that is wrong still writes there.
fn words(start: usize, size: usize) -> impl Iterator<Item = &'static AtomicU32> {
    // SAFETY: malloc()'s, of so many bytes, aligned, and not freed before the iteration is over.
    (start..start + size / 4 * 4).step_by(4).map(|at| unsafe { &*(at as *const AtomicU32) })
}

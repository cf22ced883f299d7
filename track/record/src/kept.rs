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
/// Without it, each thread keeps so many: what stays in the processor's caches.
const FEW_PIECES: usize = 256;
const FEW_BYTES: usize = 256 << 10;
/// A piece of more than this part of the bytes would take the place of too many others.
const LARGEST_PART: usize = 8;
/// What is written into the memory: no address, and no count that is alive.
const FILL: u32 = 0x6b6b_6b6b;
/// The piece is as it was when it was freed.
const UNFILLED: u32 = 1 << 31;

/// A piece of memory. Zeros: none.
pub struct Piece {
    start: AtomicUsize,
    /// The bytes of it, and [`UNFILLED`].
    how: AtomicU32,
}

/// Pieces in a circle, those that were freed last.
pub struct Circle<const MOST: usize> {
    pieces: [Piece; MOST],
    /// The pieces that were put into the circle since the beginning, and those that were taken out.
    first: AtomicU64,
    last: AtomicU64,
    /// The bytes of all that are kept.
    bytes: AtomicUsize,
}

/// Those that a thread keeps.
pub type Few = Circle<FEW_PIECES>;
/// Those that all threads keep.
static MANY: Circle<PIECES> = Circle::new();

/// Keeps memory that was freed, filled or as it is. `false`: it must be freed now.
pub fn keep(memory: *mut c_void, size: usize, is_filled: bool, frame: u64) -> bool {
    let Some(settings) = session::settings().filter(|_| session::head().is_some()) else {
        return false;
    };
    let keeps_many = settings.flags & KEEP_FREED != 0;
    let most = if keeps_many { BYTES } else { FEW_BYTES } / LARGEST_PART;
    if size > most {
        return false;
    }
    let start = memory.expose_provenance();
    let fill = || {
        let words = words(start, size).filter(|word| !marks::is_over(word.load(Relaxed)));
        words.for_each(|word| word.store(FILL, Relaxed));
        size as u32
    };
    let how = || if is_filled { fill() } else { size as u32 | UNFILLED };
    if keeps_many {
        MANY.keep(start, how());
    } else {
        let Some(guard) = thread::enter(frame) else { return false };
        let Some(state) = guard.state().filter(|_| guard.is_outermost()) else { return false };
        state.kept.keep_alone(start, how());
    }
    true
}

/// The program ends: what this thread and what all threads keep is looked at for the last time.
pub fn check_all() {
    let marker = 0_u64;
    let Some(guard) = thread::enter(&raw const marker as u64) else { return };
    let few = guard.state().filter(|_| guard.is_outermost()).map(|state| &state.kept);
    drop(guard);
    let pieces = few.iter().flat_map(|few| &few.pieces);
    for piece in pieces.chain(&MANY.pieces) {
        check(piece.start.swap(0, Acquire), piece.how.load(Relaxed));
    }
}

impl<const MOST: usize> Circle<MOST> {
    const fn new() -> Self {
        Self {
            pieces: [const { Piece { start: AtomicUsize::new(0), how: AtomicU32::new(0) } }; MOST],
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    fn piece(&self, index: u64) -> &Piece {
        // SAFETY: less than the length.
        unsafe { self.pieces.get_unchecked(index as usize % MOST) }
    }

    /// Keeps a piece in a circle that all threads use.
    fn keep(&self, start: usize, how: u32) {
        let size = size(how);
        self.bytes.fetch_add(size, Relaxed);
        let index = self.last.fetch_add(1, Relaxed);
        let piece = self.piece(index);
        // AcqRel: another thread's free() follows its program's accesses.
        let old = piece.start.swap(start, AcqRel);
        self.let_go(old, piece.how.swap(how, Relaxed));
        while self.bytes.load(Relaxed) > BYTES {
            let first = self.first.load(Relaxed);
            if first > index {
                return;
            }
            if self.first.compare_exchange(first, first + 1, Relaxed, Relaxed).is_ok() {
                let piece = self.piece(first);
                let how = piece.how.load(Relaxed);
                self.let_go(piece.start.swap(0, Acquire), how);
            }
        }
    }

    fn let_go(&self, start: usize, how: u32) {
        if start != 0 {
            self.bytes.fetch_sub(size(how), Relaxed);
            let_go(start, how);
        }
    }

    /// Keeps a piece in a circle that only this thread uses: without an atomic addition, which would cost more than
    /// the rest.
    fn keep_alone(&self, start: usize, how: u32) {
        let last = self.last.load(Relaxed);
        let mut first = self.first.load(Relaxed);
        let mut bytes = self.bytes.load(Relaxed) + size(how);
        while first < last && (bytes > FEW_BYTES || last - first >= MOST as u64) {
            let piece = self.piece(first);
            let (start, how) = (piece.start.load(Relaxed), piece.how.load(Relaxed));
            piece.start.store(0, Relaxed);
            first += 1;
            bytes -= size(how).min(bytes);
            if start != 0 {
                let_go(start, how);
            }
        }
        let piece = self.piece(last);
        piece.start.store(start, Relaxed);
        piece.how.store(how, Relaxed);
        self.first.store(first, Relaxed);
        self.last.store(last + 1, Relaxed);
        self.bytes.store(bytes, Relaxed);
    }
}

fn size(how: u32) -> usize {
    (how & !UNFILLED) as usize
}

/// Frees a piece that was kept.
fn let_go(start: usize, how: u32) {
    check(start, how);
    // SAFETY: the program freed the piece some time ago, and no other thread has taken it out of the circle.
    unsafe { freed::free_now(start as *mut c_void) };
}

/// Tells of a write into memory that is kept: the first one in the order of the addresses.
fn check(piece: usize, how: u32) {
    if piece == 0 || how & UNFILLED != 0 {
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

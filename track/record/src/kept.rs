//! When the memory of a released object is freed, the recorder keeps it for a while. The count says that it is
//! dead and its memory freed, so a later get, put or lookup is caught. The other bytes are filled, so a later write is caught. If the
//! memory was freed at once, malloc() could overwrite the count.

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use wire::head::KEEP_FREED;
use wire::record::Kind;

use crate::event::{Event, record};
use crate::{freed, marks, session, thread};

/// With --keep-freed: the most pieces of memory that are kept by all threads together, and the most bytes of all pieces.
/// For one more piece the oldest ones are freed.
const PIECES: usize = 65536;
const BYTES: usize = 64 << 20;
/// Without --keep-freed: the most pieces that each thread keeps, and the most bytes of these. This fits into the
/// processor's caches. For one more piece the oldest ones are freed.
const FEW_PIECES: usize = 256;
const FEW_BYTES: usize = 256 << 10;
/// A piece that is larger than a sixteenth of the bytes is not kept: it would push out too many others.
const LARGEST_PART: usize = 16;
/// What is written into the memory: no address, and no count that is alive.
const FILL: u32 = 0x6b6b_6b6b;
/// A piece of memory in one word: its address, which is a multiple of 16, its bytes, a multiple of 8 and at most 4 MB,
/// and whether it was not filled. 0: none.
#[derive(Clone, Copy)]
struct Piece(u64);

impl Piece {
    fn new(start: usize, size: usize, is_filled: bool) -> Self {
        Self((start as u64 >> 4) << 20 | (size as u64 >> 3) << 1 | u64::from(!is_filled))
    }

    fn start(self) -> usize {
        (self.0 >> 20 << 4) as usize
    }

    fn size(self) -> usize {
        ((self.0 >> 1 & 0x7_ffff) << 3) as usize
    }

    fn is_filled(self) -> bool {
        self.0 & 1 == 0
    }
}

/// Pieces in a circle, those that were freed last.
pub struct Circle<const MOST: usize> {
    pieces: [AtomicU64; MOST],
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
    let piece = Piece::new(memory.expose_provenance(), size, is_filled);
    let fill = || {
        for word in words(piece) {
            match word.load(Relaxed) {
                // In a wrong program another thread may get or put at this moment.
                marks::DEAD => {
                    _ = word.compare_exchange(marks::DEAD, marks::FREED, Relaxed, Relaxed);
                }
                value if marks::is_over(value) => {}
                _ => word.store(FILL, Relaxed),
            }
        }
    };
    if keeps_many {
        if is_filled {
            fill();
        }
        MANY.keep(piece);
    } else {
        let Some(guard) = thread::enter(frame) else { return false };
        let Some(state) = guard.state().filter(|_| guard.is_outermost()) else { return false };
        if is_filled {
            fill();
        }
        state.kept.keep_alone(piece);
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
        check(Piece(piece.swap(0, Acquire)));
    }
}

impl<const MOST: usize> Circle<MOST> {
    const fn new() -> Self {
        Self {
            pieces: [const { AtomicU64::new(0) }; MOST],
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    fn piece(&self, index: u64) -> &AtomicU64 {
        // SAFETY: less than the length.
        unsafe { self.pieces.get_unchecked(index as usize % MOST) }
    }

    /// Keeps a piece in a circle that all threads use.
    fn keep(&self, piece: Piece) {
        self.bytes.fetch_add(piece.size(), Relaxed);
        let index = self.last.fetch_add(1, Relaxed);
        // AcqRel: another thread's free() follows its program's accesses.
        self.let_go(self.piece(index).swap(piece.0, AcqRel));
        while self.bytes.load(Relaxed) > BYTES {
            let first = self.first.load(Relaxed);
            if first > index {
                return;
            }
            if self.first.compare_exchange(first, first + 1, Relaxed, Relaxed).is_ok() {
                self.let_go(self.piece(first).swap(0, AcqRel));
            }
        }
    }

    fn let_go(&self, piece: u64) {
        if piece != 0 {
            self.bytes.fetch_sub(Piece(piece).size(), Relaxed);
            let_go(Piece(piece));
        }
    }

    /// Keeps a piece in a circle that only this thread uses: without an atomic addition, which would cost more than
    /// the rest.
    fn keep_alone(&self, piece: Piece) {
        let last = self.last.load(Relaxed);
        let mut first = self.first.load(Relaxed);
        let mut bytes = self.bytes.load(Relaxed) + piece.size();
        while first < last && (bytes > FEW_BYTES || last - first >= MOST as u64) {
            let place = self.piece(first);
            let old = Piece(place.load(Relaxed));
            place.store(0, Relaxed);
            first += 1;
            bytes -= old.size().min(bytes);
            if old.0 != 0 {
                let_go(old);
            }
        }
        self.piece(last).store(piece.0, Relaxed);
        self.first.store(first, Relaxed);
        self.last.store(last + 1, Relaxed);
        self.bytes.store(bytes, Relaxed);
    }
}

/// Frees a piece that was kept.
fn let_go(piece: Piece) {
    check(piece);
    // SAFETY: the program freed the piece some time ago, and no other thread has taken it out of the circle.
    unsafe { freed::free_now(piece.start() as *mut c_void) };
}

/// Tells of a write into memory that is kept: the first one in the order of the addresses.
fn check(piece: Piece) {
    if piece.0 == 0 || !piece.is_filled() {
        return;
    }
    let is_as_it_was = |value: u32| value == FILL || marks::is_over(value);
    let Some(written) = words(piece).find(|word| !is_as_it_was(word.load(Relaxed))) else {
        return;
    };
    let count = words(piece).find(|word| marks::is_over(word.load(Relaxed)));
    let marker = 0_u64;
    if let (Some(count), Some(mut guard)) = (count, thread::enter(&raw const marker as u64)) {
        let count = core::ptr::from_ref(count).addr();
        let detail = core::ptr::from_ref(written).addr() as u64;
        record(&Event { detail, ..Event::of(Kind::Written, count) }, 0, &mut guard);
    }
}

/// Memory that is kept, or about to be, as words: atomic ones, since a program that is wrong still writes there.
fn words(piece: Piece) -> impl Iterator<Item = &'static AtomicU32> {
    let (start, size) = (piece.start(), piece.size());
    // SAFETY: malloc()'s memory of `size` bytes, aligned, and not freed before the iteration is over.
    (start..start + size).step_by(4).map(|at| unsafe { &*(at as *const AtomicU32) })
}

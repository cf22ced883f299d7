//! --keep-freed: what a release function frees is kept for a while, with its count as the last put has left it, so
//! that a later get or put is caught. Without it that memory may look like anything by then.
//!
//! The recorder's free() must come before the C library's: `kref-track --keep-freed` preloads this library. Where it
//! is not preloaded, nobody calls this free().

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use wire::head::KEEP_FREED;

use crate::{own, session, thread};

/// At most so many pieces are kept, of so many bytes together.
const PIECES: usize = 65536;
const BYTES: usize = 64 << 20;

/// The pieces, in a circle. 0: none.
static KEPT: [AtomicUsize; PIECES] = [const { AtomicUsize::new(0) }; PIECES];
/// The pieces that were put into the circle since the beginning, and those that were taken out.
static FIRST: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);
/// The bytes of all that are kept.
static SIZE: AtomicUsize = AtomicUsize::new(0);
/// The free() that was there without this one.
static NEXT: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn malloc_usable_size(memory: *mut c_void) -> usize;
}

/// The C library's free(), but for the memory of an object whose release function is running.
///
/// # Safety
/// As free()'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(memory: *mut c_void) {
    let keeps = session::settings().is_some_and(|settings| settings.flags & KEEP_FREED != 0);
    if keeps && !memory.is_null() && is_releasing(memory) {
        keep(memory);
    } else {
        // SAFETY: the caller's promise.
        unsafe { free_now(memory) };
    }
}

fn is_releasing(memory: *mut c_void) -> bool {
    if !thread::is_known() {
        return false;
    }
    // SAFETY: null, or a state of this thread, which stays mapped.
    let Some(state) = (unsafe { own::own().state.load(Relaxed).as_ref() }) else { return false };
    let depth = state.releasing_depth.load(Relaxed) as usize;
    if depth == 0 {
        return false;
    }
    // SAFETY: memory that is being freed is malloc's.
    let size = unsafe { malloc_usable_size(memory) } as u64;
    let start = memory.addr() as u64;
    let mut objects = state.releasing.iter().take(depth);
    objects.any(|object| object.load(Relaxed).wrapping_sub(start) < size)
}

fn place(index: u64) -> Option<&'static AtomicUsize> {
    KEPT.get(index as usize % PIECES)
}

fn keep(memory: *mut c_void) {
    // SAFETY: as in `is_releasing`.
    SIZE.fetch_add(unsafe { malloc_usable_size(memory) }, Relaxed);
    let index = LAST.fetch_add(1, Relaxed);
    // AcqRel: another thread's free() follows its program's accesses.
    let old = place(index).map_or(0, |place| place.swap(memory.addr(), AcqRel));
    let_go(old);
    while SIZE.load(Relaxed) > BYTES {
        let first = FIRST.load(Relaxed);
        if first > index {
            return;
        }
        if FIRST.compare_exchange(first, first + 1, Relaxed, Relaxed).is_ok() {
            let_go(place(first).map_or(0, |place| place.swap(0, Acquire)));
        }
    }
}

/// Frees a piece that was kept.
fn let_go(piece: usize) {
    if piece == 0 {
        return;
    }
    let memory = piece as *mut c_void;
    // SAFETY: the program freed the piece some time ago, and no other thread has taken it out of the circle.
    unsafe {
        SIZE.fetch_sub(malloc_usable_size(memory), Relaxed);
        free_now(memory);
    }
}

/// # Safety
/// As free()'s.
unsafe fn free_now(memory: *mut c_void) {
    let mut next = NEXT.load(Relaxed);
    if next == 0 {
        // SAFETY: a C string.
        next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"free".as_ptr()) }.addr();
        NEXT.store(next, Relaxed);
    }
    if next != 0 {
        // SAFETY: a function of free()'s type, and the caller's promise.
        unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(next)(memory) };
    }
}

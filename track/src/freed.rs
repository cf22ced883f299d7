//! keep_freed=1: what a release function frees is kept for a while, with its count at zero, so that
//! whoever comes after the release is caught. Without it that memory may look like anything by then.
//!
//! It needs our free() before the C library's: `kref-track --keep-freed` preloads this library. Where it
//! is not preloaded, nobody calls this free().

use std::collections::VecDeque;
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::lock::Lock;
use crate::options::options;
use crate::thread;

/// What is kept: this many pieces, of so many bytes together.
const PIECES: usize = 65536;
const BYTES: usize = 64 << 20;

struct Kept {
    pieces: VecDeque<(usize, usize)>,
    bytes: usize,
}

static KEPT: Lock<Kept> = Lock::new(Kept { pieces: VecDeque::new(), bytes: 0 });
static ON: AtomicBool = AtomicBool::new(false);
/// The free() that was there without us.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Keeps memory from now on, if that was asked for.
pub fn set_up() {
    ON.store(options().keep_freed, Relaxed);
}

/// The C library's free(), but for the memory of an object whose release function is running.
///
/// # Safety
/// As free()'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(memory: *mut c_void) {
    if ON.load(Relaxed) && !memory.is_null() && is_releasing(memory) {
        keep(memory);
    } else {
        // SAFETY: the caller's promise.
        unsafe { free_now(memory) };
    }
}

fn is_releasing(memory: *mut c_void) -> bool {
    let Some(mut inside) = thread::enter_if_known() else { return false };
    if !inside.is_outermost() {
        return false;
    }
    let own = inside.own();
    let depth = own.releasing_depth.min(own.releasing.len());
    let objects = &own.releasing[..depth];
    if objects.is_empty() {
        return false;
    }
    // SAFETY: memory that is being freed is malloc's.
    let size = unsafe { libc::malloc_usable_size(memory) };
    let start = memory as usize;
    objects.iter().any(|object| (start..start + size).contains(object))
}

fn keep(memory: *mut c_void) {
    // SAFETY: as in `is_releasing`.
    let size = unsafe { libc::malloc_usable_size(memory) };
    let Some(inside) = thread::enter() else { return };
    let mut kept = KEPT.lock();
    kept.bytes += size;
    if kept.pieces.try_reserve(1).is_ok() {
        kept.pieces.push_back((memory as usize, size));
    }
    let mut old = None;
    if kept.pieces.len() > PIECES || kept.bytes > BYTES {
        old = kept.pieces.pop_front();
        kept.bytes -= old.map_or(0, |(_, size)| size);
    }
    drop(kept);
    drop(inside);
    if let Some((memory, _)) = old {
        // SAFETY: the program freed it some time ago.
        unsafe { free_now(memory as *mut c_void) };
    }
}

/// # Safety
/// As free()'s.
unsafe fn free_now(memory: *mut c_void) {
    let mut next = NEXT.load(Relaxed);
    if next == 0 {
        const NAME: &CStr = c"free";
        // SAFETY: a C string.
        next = unsafe { libc::dlsym(libc::RTLD_NEXT, NAME.as_ptr()) } as usize;
        NEXT.store(next, Relaxed);
    }
    if next != 0 {
        // SAFETY: a function of free()'s type, and the caller's promise.
        unsafe { std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(next)(memory) };
    }
}

/// Around a fork.
pub fn before_fork() {
    KEPT.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    KEPT.give_back();
}

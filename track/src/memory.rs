//! The tracker's own memory, apart from the program's.
//!
//! The program's malloc may be what a signal handler interrupted, may be counted by krefs itself, may be
//! a sanitizer's, and may fail. So everything here comes from mmap, through an allocator of our own
//! whose lock is one of ours.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dlmalloc::Dlmalloc;

use crate::lock::Lock;

struct Ours;

#[global_allocator]
static GLOBAL: Ours = Ours;

static HEAP: Lock<Dlmalloc> = Lock::new(Dlmalloc::new());
/// Bytes that were asked for and not given back.
static USED: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// What is left for names and reports when the system has no more memory: then nothing new is kept.
const RESERVE: usize = 4 << 20;
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// How many bytes the table may use from now on, over what is in use already.
pub fn set_limit(bytes: usize) {
    let reserve: Vec<u8> = Vec::with_capacity(RESERVE);
    RESERVED.store(reserve.leak().as_mut_ptr() as usize, Relaxed);
    LIMIT.store(USED.load(Relaxed).saturating_add(bytes), Relaxed);
}

/// Runs `attempt`, and once more with the reserve given back if there was no memory.
fn allocate(mut attempt: impl FnMut(&mut Dlmalloc) -> *mut u8) -> *mut u8 {
    let mut heap = HEAP.lock();
    let memory = attempt(&mut heap);
    if !memory.is_null() {
        return memory;
    }
    LIMIT.store(0, Relaxed);
    match RESERVED.swap(0, Relaxed) {
        0 => memory,
        reserve => {
            USED.fetch_sub(RESERVE, Relaxed);
            // SAFETY: allocated in `set_limit` with this size, and given back once.
            unsafe { heap.free(reserve as *mut u8, RESERVE, 1) };
            attempt(&mut heap)
        }
    }
}

/// Whether there is room for more: asked before anything is kept. What is let through may go over the
/// limit by little.
pub fn has_room() -> bool {
    USED.load(Relaxed) < LIMIT.load(Relaxed)
}

/// Symbols are not what the limit is for: what they took is not counted.
pub fn forgive(bytes: usize) {
    let more = |limit: usize| (limit != 0).then(|| limit.saturating_add(bytes));
    let _ = LIMIT.fetch_update(Relaxed, Relaxed, more); // 0: there is no more memory, whatever is allowed
}

/// The bytes in use.
pub fn used() -> usize {
    USED.load(Relaxed)
}

/// Before a fork: nobody may be in the midst of an allocation.
pub fn before_fork() {
    HEAP.take();
}

/// After a fork, in the parent and in the child.
pub fn after_fork() {
    HEAP.give_back();
}

// SAFETY: dlmalloc is an allocator, and one thread at a time is in it.
unsafe impl GlobalAlloc for Ours {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's layout is not of size zero.
        allocate(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: it came from `alloc` with this layout.
        unsafe { HEAP.lock().free(memory, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Relaxed);
        // SAFETY: as in `alloc`.
        allocate(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        USED.fetch_add(size, Relaxed);
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: it came from `alloc` with this layout.
        allocate(|heap| unsafe { heap.realloc(memory, layout.size(), layout.align(), size) })
    }
}

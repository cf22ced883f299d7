//! free() and realloc() of memory that has counts in it.
//!
//! * A count that is still referenced: the judge is told at once, with the stack of the free(), or follows the object
//!   to where realloc() has moved it.
//! * The count of a released object: the memory is kept for a while (kept.rs), so that a later get or put is caught.
//!
//! The recorder's free() must come before the C library's: kref-track preloads this library. Where it is not preloaded,
//! nobody calls these functions.

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use wire::record::Kind;

use crate::event::{Event, happen};
use crate::marks::{self, Count};
use crate::processor::enter;
use crate::seam::Frame;
use crate::{environment, kept};

/// The free() and the realloc() that were there without these.
static NEXT_FREE: AtomicUsize = AtomicUsize::new(0);
static NEXT_REALLOC: AtomicUsize = AtomicUsize::new(0);
/// Whether malloc_usable_size() is of the same library as free(): another one's answer means nothing.
static KNOWS_SIZES: AtomicBool = AtomicBool::new(false);

/// The most counts in one piece of memory that realloc() moves. Those behind them are not recorded as moved.
const MOST_MOVED: usize = 64;

type Free = unsafe extern "C" fn(*mut c_void);
type Realloc = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;

unsafe extern "C" {
    fn malloc_usable_size(memory: *mut c_void) -> usize;
}

/// Looks for the functions before anybody calls them: later the loader's lock may be held.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = at_start;

extern "C" fn at_start(_: c_int, _: *mut *mut c_char, environment: *mut *mut c_char) {
    find_next();
    // SAFETY: the loader gives the program's environment, and no other thread is there yet.
    unsafe { environment::leave(environment) };
}

extern "C" fn find_next() {
    let find = |name: &core::ffi::CStr| {
        // SAFETY: a C string.
        unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
    };
    let (free, realloc) = (find(c"free"), find(c"realloc"));
    let knows = library_of(free) != 0
        && library_of(free) == library_of(malloc_usable_size as *const () as *mut c_void)
        && library_of(free) == library_of(realloc);
    NEXT_REALLOC.store(realloc.addr(), Relaxed);
    NEXT_FREE.store(free.addr(), Relaxed);
    KNOWS_SIZES.store(knows, Relaxed);
}

/// The address of the library that a function is in, or 0.
fn library_of(function: *mut c_void) -> usize {
    let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is ours to fill, and may be zero.
    unsafe {
        if function.is_null() || libc::dladdr(function, info.as_mut_ptr()) == 0 {
            return 0;
        }
        info.assume_init().dli_fbase.addr()
    }
}

/// The C library's free(), but for memory with the count of a tracked object in it.
///
/// # Safety
/// As free()'s.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(memory: *mut c_void) {
    enter!(on_free, 1)
}

unsafe extern "C" fn on_free(memory: *mut c_void, frame: &Frame) {
    let size = size_of_marked(memory);
    if size != 0 {
        let (mut is_released, mut is_exited) = (false, false);
        look(memory, size, |count| {
            marks::remove(count);
            match count {
                Count::Released(_) => is_released = true,
                Count::Exited(_) => is_exited = true,
                _ => tell(count, Kind::Freed, 0, frame),
            }
        });
        // The zeros of an exited percpu_ref are not overwritten: a later get or put must find them.
        if (is_released || is_exited) && kept::keep(memory, size, !is_exited, frame.address()) {
            return;
        }
    }
    // SAFETY: the caller's promise.
    unsafe { free_now(memory) }
}

/// The C library's realloc(). Memory with the count of a referenced object in it moves so that the judge is told
/// before the old place may be another object's.
///
/// # Safety
/// As realloc()'s.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
    enter!(on_realloc, 2)
}

unsafe extern "C" fn on_realloc(memory: *mut c_void, size: usize, frame: &Frame) -> *mut c_void {
    let before = size_of_marked(memory);
    let mut counts = [None; MOST_MOVED];
    let mut places = counts.iter_mut();
    if before != 0 {
        look(memory, before, |count| match count {
            Count::Released(_) | Count::Exited(_) => {}
            count => places.next().into_iter().for_each(|place| *place = Some(count)),
        });
    }
    if counts[0].is_none() || size <= before {
        // SAFETY: the caller's promise.
        let new = unsafe { realloc_now(memory, size) };
        if new != memory && !new.is_null() {
            follow(&counts, memory, new, frame);
        }
        return new;
    }
    // SAFETY: the two do not overlap; the old one has `before` bytes and the new one more. The caller gives the old one up.
    unsafe {
        let new = libc::malloc(size);
        if !new.is_null() {
            core::ptr::copy_nonoverlapping(memory.cast::<u8>(), new.cast::<u8>(), before);
            follow(&counts, memory, new, frame);
            free_now(memory);
        }
        new
    }
}

/// Tells where counts have moved to.
fn follow(counts: &[Option<Count>], from: *mut c_void, to: *mut c_void, frame: &Frame) {
    for &count in counts.iter().flatten() {
        let to =
            to.addr().wrapping_add((count.address() as usize).wrapping_sub(from.addr())) as u64;
        marks::remove(count);
        match count {
            Count::Percpu(_) => marks::add_percpu(to),
            _ => marks::add(to),
        }
        tell(count, Kind::Moved, to, frame);
    }
}

/// The C library's reallocarray(), which calls its own realloc().
///
/// # Safety
/// As reallocarray()'s.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(
    memory: *mut c_void,
    count: usize,
    size: usize,
) -> *mut c_void {
    enter!(on_reallocarray, 3)
}

unsafe extern "C" fn on_reallocarray(
    memory: *mut c_void,
    count: usize,
    size: usize,
    frame: &Frame,
) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the caller's promise.
        Some(bytes) => unsafe { on_realloc(memory, bytes, frame) },
        None => {
            // SAFETY: this thread's errno.
            unsafe { *libc::__errno_location() = libc::ENOMEM };
            core::ptr::null_mut()
        }
    }
}

/// The bytes of memory that may have counts in it, or 0.
#[inline]
fn size_of_marked(memory: *mut c_void) -> usize {
    if memory.is_null() || !marks::are_there() || !KNOWS_SIZES.load(Relaxed) {
        return 0;
    }
    // SAFETY: memory that is given up is malloc()'s.
    let size = unsafe { malloc_usable_size(memory) };
    if marks::has(memory.expose_provenance(), size) { size } else { 0 }
}

/// Shows each count in memory that is given up.
fn look(memory: *mut c_void, size: usize, show: impl FnMut(Count)) {
    // SAFETY: the memory that the caller of free() or realloc() gives up has `size` bytes.
    unsafe { marks::look(memory.expose_provenance(), size, show) };
}

fn tell(count: Count, kind: Kind, detail: u64, frame: &Frame) {
    happen(&Event { detail, ..Event::of(kind, count.address() as usize) }, frame);
}

/// # Safety
/// As free()'s.
pub unsafe fn free_now(memory: *mut c_void) {
    if NEXT_FREE.load(Relaxed) == 0 {
        find_next();
    }
    let next = NEXT_FREE.load(Relaxed);
    if next != 0 {
        // SAFETY: a function of free()'s type, and the caller's promise.
        unsafe { core::mem::transmute::<usize, Free>(next)(memory) };
    }
}

/// # Safety
/// As realloc()'s.
unsafe fn realloc_now(memory: *mut c_void, size: usize) -> *mut c_void {
    if NEXT_REALLOC.load(Relaxed) == 0 {
        find_next();
    }
    let next = NEXT_REALLOC.load(Relaxed);
    if next == 0 {
        return core::ptr::null_mut();
    }
    // SAFETY: a function of realloc()'s type, and the caller's promise.
    unsafe { core::mem::transmute::<usize, Realloc>(next)(memory, size) }
}

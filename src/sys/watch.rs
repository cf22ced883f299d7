//! Tells AddressSanitizer and valgrind's memcheck about memory that did not come from malloc(), if the program runs
//! under one of them.
//!
//! After a free() these tools report each use of the memory. They do not know which part of a mapping is in use, so
//! they would not report a use of an object after it was given back. And AddressSanitizer does not look for pointers
//! in a mapping. If the only pointer to some memory is there, AddressSanitizer would report that memory as leaked.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::sys::weak::weak;

/// Whether one of the tools runs.
///
/// Relaxed: a thread that forbids memory has seen `true`, and so has each thread that gets the memory from it.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// Announces a new mapping. To be called before [`forbid`].
pub(crate) fn mapped(memory: *const u8, size: usize) {
    call(weak!("__lsan_register_root_region"), memory, size);
    if !asan_poison().is_null() || valgrind::is_here() {
        IS_WATCHED.store(true, Relaxed);
    }
}

/// Announces the end of a mapping. Otherwise the tools would take the next mapping at this address for this one.
pub(crate) fn unmapped(memory: *const u8, size: usize) {
    allow(memory, size);
    call(weak!("__lsan_unregister_root_region"), memory, size);
}

/// Whether [`forbid`] and [`allow`] do anything.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    IS_WATCHED.load(Relaxed)
}

/// From here on the tools report each use of the memory.
pub(crate) fn forbid(memory: *const u8, size: usize) {
    call(asan_poison(), memory, size);
    valgrind::request([valgrind::NO_ACCESS, memory.addr(), size, 0, 0, 0]);
}

/// From here on the program may use the memory again. The memory is as it was.
pub(crate) fn allow(memory: *const u8, size: usize) {
    call(weak!("__asan_unpoison_memory_region"), memory, size);
    valgrind::request([valgrind::DEFINED, memory.addr(), size, 0, 0, 0]);
}

fn asan_poison() -> *const () {
    weak!("__asan_poison_memory_region")
}

/// Calls a function of AddressSanitizer. The pointer is null in a program without AddressSanitizer.
fn call(function: *const (), memory: *const u8, size: usize) {
    if !function.is_null() {
        type Region = extern "C" fn(*const u8, usize);
        // SAFETY: the functions of AddressSanitizer have this type, and only note that the region is there.
        unsafe { core::mem::transmute::<*const (), Region>(function)(memory, size) };
    }
}

/// valgrind's client requests, from valgrind.h and memcheck.h: instructions that change nothing, and that valgrind
/// knows.
mod valgrind {
    /// The first request of memcheck.
    const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
    pub(super) const NO_ACCESS: usize = MEMCHECK;
    pub(super) const DEFINED: usize = MEMCHECK + 2;

    pub(super) fn is_here() -> bool {
        const RUNNING_ON_VALGRIND: usize = 0x1001;
        request([RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) != 0
    }

    /// Makes a request, with its arguments. The result is 0 without valgrind.
    pub(super) fn request(words: [usize; 6]) -> usize {
        #[allow(unused_mut, reason = "without the assembly")]
        let mut result = 0;
        #[cfg(all(kref_assembly, target_arch = "x86_64", target_pointer_width = "64"))]
        // SAFETY: the rotations add up to whole words, and the exchange is of a register with itself.
        unsafe {
            core::arch::asm!(
                "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") &words,
                inout("rdx") result,
                options(nostack),
            );
        }
        #[cfg(all(kref_assembly, target_arch = "aarch64", target_pointer_width = "64"))]
        // SAFETY: as above.
        unsafe {
            core::arch::asm!(
                "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61",
                "orr x10, x10, x10",
                in("x4") &words,
                inout("x3") result,
                options(nostack),
            );
        }
        let _ = words;
        result
    }
}

//! Memory from the kernel.

use core::ptr;

use super::errno;

/// A new mapping, filled with zeros. `None` if the kernel refuses.
pub(crate) fn map(size: usize) -> Option<ptr::NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size, protection, kind, -1, 0) };
    ptr::NonNull::new(memory.cast()).filter(|_| memory != libc::MAP_FAILED)
}

/// Gives a mapping back.
///
/// # Safety
/// `memory` came from [`map`] with this size, and nobody uses it again.
pub(crate) unsafe fn unmap(memory: ptr::NonNull<u8>, size: usize) {
    // SAFETY: as promised.
    unsafe { libc::munmap(memory.as_ptr().cast(), size) };
}

/// Gives the memory of whole pages back. They stay mapped, and are zero when they are used again.
///
/// # Safety
/// The pages came from [`map`], and nobody uses what is in them.
pub(crate) unsafe fn discard(memory: *mut u8, size: usize) {
    // SAFETY: as promised. If a page has more than 4096 bytes, the kernel may refuse. Then the memory stays in use.
    errno::preserved(|| unsafe { libc::madvise(memory.cast(), size, libc::MADV_DONTNEED) });
}

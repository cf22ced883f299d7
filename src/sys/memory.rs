//! Memory from the kernel.

use core::ptr;

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

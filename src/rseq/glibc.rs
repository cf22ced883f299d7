//! The rseq areas that glibc registers, one for each thread, at the same offset from each thread pointer.

use crate::sys::weak::weak;

/// The offset of the areas; `None` if glibc has not registered the main thread.
pub(super) fn find() -> Option<isize> {
    let offset: *const isize = weak!("__rseq_offset").cast();
    let size: *const u32 = weak!("__rseq_size").cast();
    // SAFETY: null, or the variables of glibc, which glibc sets before any constructor runs.
    let (offset, size) = unsafe { (*offset.as_ref()?, *size.as_ref()?) };
    (size != 0).then_some(offset)
}

/// The offset of the calling thread's area. `found` is the result of [`find`].
#[inline(always)]
pub(super) fn offset(found: isize) -> isize {
    found
}

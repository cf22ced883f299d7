//! The layout of a pool's memory.

use core::ffi::c_char;

use super::entries::{ENTRY, Entry, LINE};
#[cfg(feature = "capi")]
use crate::kref::Kref;
use crate::tracker::ReleaseFn;

/// Set each object to zero when it is allocated. Otherwise an object is zero the first time, and later it is as
/// its release function left it.
pub(crate) const ZEROED: u32 = 1;
/// Each entry has cache lines of its own, so that two objects do not share one.
pub(crate) const CACHE_LINES: u32 = 2;

/// What a pool's creator says about it, and what follows from it. C's initialiser has the same members.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Gives the object's parts back, and frees the entry.
    pub(crate) release: Option<ReleaseFn>,
    /// The name of the objects' type, for a tracker, or null.
    pub(crate) type_name: *const c_char,
    /// The size of an object.
    pub(crate) size: u32,
    /// The offset of the kref in an object.
    pub(crate) kref_at: u32,
    /// The distance between two entries.
    pub(crate) stride: u32,
    /// The bytes before the first entry of a chunk, so that the object after it is aligned.
    pub(crate) lead: u32,
    /// [`ZEROED`] and [`CACHE_LINES`].
    pub(crate) flags: u32,
    /// The most objects, or 0.
    pub(crate) limit: u32,
}

impl Layout {
    /// The layout of objects of `size` bytes, at least those of a kref. `align` is a power of two, at most a page.
    pub(crate) const fn new(size: u32, align: u32, kref_at: u32, flags: u32) -> Self {
        let least = align_of::<Entry>() as u32;
        let align = if align < least { least } else { align };
        let before = ENTRY.next_multiple_of(align);
        let stride = if flags & CACHE_LINES == 0 {
            (ENTRY + size).next_multiple_of(align)
        } else {
            (before + size).next_multiple_of(if align < LINE { LINE } else { align })
        };
        let (type_name, lead) = (core::ptr::null(), before - ENTRY);
        Self { release: None, type_name, size, kref_at, stride, lead, flags, limit: 0 }
    }

    /// [`new`](Self::new) for numbers of a C program. `None` if they are out of range.
    #[cfg(feature = "capi")]
    pub(crate) fn checked(size: usize, align: usize, kref_at: usize, flags: u32) -> Option<Self> {
        /// Far below 2^32, so that no sum of the layout is too large.
        const MOST_SIZE: usize = 1 << 30;
        /// A chunk begins a page.
        const PAGE: usize = 4096;
        let is_kref_inside = kref_at.checked_add(size_of::<Kref>())? <= size;
        let is_aligned = align.is_power_of_two() && align <= PAGE && size & (align - 1) == 0;
        let is_kref_aligned = kref_at % align_of::<Kref>() == 0;
        let are_flags = flags & !(ZEROED | CACHE_LINES) == 0;
        if !(size <= MOST_SIZE && is_kref_inside && is_aligned && is_kref_aligned && are_flags) {
            return None;
        }
        Some(Self::new(
            u32::try_from(size).ok()?,
            u32::try_from(align).ok()?,
            u32::try_from(kref_at).ok()?,
            flags,
        ))
    }
}

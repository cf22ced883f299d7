//! The memory of a pool.
//!
//! An entry's *position* is its index plus [`FIRST`]. So the chunk of a position is the number of the highest bit,
//! the first chunk has [`FIRST`] entries, and each chunk has twice as many as the one before. Position 0 is no
//! entry's, so 0 is no handle.

#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), kref_assembly))]
use core::arch::asm;
use core::ptr::{self, NonNull};

use super::KrefPool;
use crate::kref::Kref;
use crate::sys::memory;
use crate::sys::sync::AtomicU32;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys::{tsan, watch};

/// The entries of the first chunk.
pub(super) const FIRST: u32 = 1 << FIRST_LOG2;
#[cfg(not(loom))]
const FIRST_LOG2: u32 = 8;
/// A loom model makes few atomics.
#[cfg(loom)]
const FIRST_LOG2: u32 = 1;

/// The most chunks that 32 bits can name.
pub(super) const CHUNKS: usize = (u32::BITS - 8) as usize;

/// The seed of the next pool.
static SEEDS: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0x9e37_79b9);

/// A cache line.
pub(super) const LINE: u32 = 64;
/// The size of an [`Entry`]. 8, except in a loom model.
pub(super) const ENTRY: u32 = size_of::<Entry>() as u32;

/// The bytes in front of each object.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Entry {
    /// Raised when the entry is freed. 0 before the entry's first use, and after it was retired.
    pub(super) generation: AtomicU32,
    /// The entry's own position while the entry is in use; the position of the next free or parked one.
    pub(super) link: AtomicU32,
}

pub(super) fn handle(generation: u32, position: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(position)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) fn position(handle: u64) -> u32 {
    handle as u32
}

pub(super) fn generation(handle: u64) -> u32 {
    (handle >> 32) as u32
}

/// The chunk of a position, and the number of entries in it. `None` for a position that no entry has.
fn chunk(position: u32) -> Option<(usize, usize)> {
    let log2 = log2(position)?;
    let number = log2.checked_sub(FIRST_LOG2)? as usize;
    (number < CHUNKS).then_some((number, 1 << log2))
}

/// The number of the highest bit. `None` for 0.
///
/// Not x86's instruction alone: `bsr` keeps its destination if the source is 0. So the processor waits for the
/// destination's old value, and that may come from the locked instruction of the lookup before. A zero in the
/// destination lets many lookups wait for memory at the same time.
#[inline(always)]
fn log2(number: u32) -> Option<u32> {
    #[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), kref_assembly))]
    if number != 0 {
        let log2;
        // SAFETY: the instruction reads and writes these two registers and the flags.
        unsafe {
            asm!("bsr {0:e}, {1:e}", inout(reg) 0_u32 => log2, in(reg) number,
                options(pure, nomem, nostack));
        }
        return Some(log2);
    }
    number.checked_ilog2()
}

impl KrefPool {
    /// The entry at a position, or `None` for a position without memory.
    #[inline(always)]
    pub(super) fn entry_at(&self, position: u32) -> Option<NonNull<Entry>> {
        let (chunk, _) = chunk(position)?;
        // Acquire: pairs with the release in `add_chunk`.
        let base = self.chunks.get(chunk)?.load(Acquire);
        if base == 0 {
            return None;
        }
        let address =
            base.wrapping_add((position as usize).wrapping_mul(self.stride())).wrapping_sub(1);
        NonNull::new(ptr::with_exposed_provenance_mut(address))
    }

    /// The distance between two entries.
    #[inline(always)]
    fn stride(&self) -> usize {
        self.layout.stride as usize
    }

    /// The position of an entry that was never used. `None` if there is no memory, or no position.
    pub(super) fn take_fresh(&self) -> Option<u32> {
        let mut position = self.fresh.load(Relaxed);
        loop {
            if self.is_exhausted(position) {
                return None;
            }
            let (number, entries) = chunk(position)?;
            let chunk = self.chunks.get(number)?;
            if chunk.load(Relaxed) == 0 {
                self.add_chunk(number, entries)?;
            }
            tsan::acquire(chunk); // ThreadSanitizer takes a new mapping for a write
            // Relaxed: only the position is taken. `entry_at` acquires the chunk.
            match self.fresh.compare_exchange_weak(position, position + 1, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => position = now,
            }
        }
        let entry = self.entry_at(position)?;
        // A lookup by a number that is no handle may read this entry now. It fails while the count is still zero, as
        // it does when the count is dead.
        // SAFETY: the memory is zero, which is a kref and an entry.
        unsafe {
            self.kref_of(entry).as_ref().set_dead();
            entry.as_ref().generation.store(self.seed(), Relaxed);
        }
        Some(position)
    }

    /// Whether no entry is left that was never used, if the next one is at `position`.
    fn is_exhausted(&self, position: u32) -> bool {
        let limit = self.layout.limit;
        // `retired` may count entries at higher positions, which other threads have taken since `position` was read.
        let used = position.saturating_sub(FIRST).saturating_sub(self.retired.load(Relaxed));
        position == u32::MAX || (limit != 0 && used >= limit)
    }

    /// Maps a chunk. Another thread may have done so meanwhile.
    #[cold]
    #[inline(never)]
    fn add_chunk(&self, number: usize, entries: usize) -> Option<()> {
        let size = self.chunk_size(entries)?;
        let memory = self.map(size)?;
        let first = memory.as_ptr().expose_provenance() + self.layout.lead as usize;
        let base = first.wrapping_sub(entries.wrapping_mul(self.stride()));
        let chunk = self.chunks.get(number)?;
        tsan::release(chunk);
        // Release: pairs with the acquire in `entry_at`. Nobody dereferences what the exchange returns.
        if chunk.compare_exchange(0, base.wrapping_add(1), Release, Relaxed).is_err() {
            // SAFETY: mapped above, and nobody has seen the address.
            unsafe { unmap(memory, size) };
        }
        Some(())
    }

    /// The generation of entries that were never used.
    pub(super) fn seed(&self) -> u32 {
        let seed = self.seed.load(Relaxed);
        if seed != 0 {
            return seed;
        }
        // Multiples of this number are far from each other.
        let new = match SEEDS.fetch_add(0x9e37_79b9, Relaxed) {
            0 => SEEDS.fetch_add(0x9e37_79b9, Relaxed),
            new => new,
        };
        match self.seed.compare_exchange(0, new, Relaxed, Relaxed) {
            Ok(_) => new,
            Err(now) => now,
        }
    }

    /// The generation after `generation`. `None` after the last one: the entry is retired, because a handle must
    /// not be given a second time.
    pub(super) fn next_generation(&self, generation: u32) -> Option<u32> {
        let next = match generation.wrapping_add(1) {
            0 => 1,
            next => next,
        };
        (next != self.seed()).then_some(next)
    }

    fn chunk_size(&self, entries: usize) -> Option<usize> {
        entries.checked_mul(self.stride())?.checked_add(self.layout.lead as usize)
    }

    /// The memory of a chunk. In a loom model an atomic is not a number in memory, so zeros are not enough.
    fn map(&self, size: usize) -> Option<NonNull<u8>> {
        let memory = memory::map(size)?;
        watch::mapped(memory.as_ptr(), size);
        #[cfg(loom)]
        for at in (0..size).step_by(self.stride()) {
            // SAFETY: the memory has this size.
            unsafe {
                let entry = memory.add(at).cast::<Entry>();
                entry.write(Entry { generation: AtomicU32::new(0), link: AtomicU32::new(0) });
                self.kref_of(entry).write(Kref::new());
                self.kref_of(entry).as_ref().set_dead();
            }
        }
        Some(memory)
    }

    /// The position of an entry, or `None` if it is not the pool's.
    pub(super) fn position_of(&self, entry: NonNull<Entry>) -> Option<u32> {
        // SAFETY: the caller's object is behind the entry.
        let link = unsafe { entry.as_ref() }.link.load(Relaxed);
        if self.entry_at(link) == Some(entry) {
            return Some(link);
        }
        // A parked entry has another link.
        self.entries(0)
            .find(|&(index, _)| self.entry_at(index + FIRST) == Some(entry))
            .map(|(index, _)| index + FIRST)
    }

    /// The index and the kref of each entry that was ever used, from an index on.
    pub(super) fn entries(&self, from: u32) -> impl Iterator<Item = (u32, NonNull<Kref>)> {
        let end = self.fresh.load(Relaxed).saturating_sub(FIRST);
        (from..end).filter_map(|index| Some((index, self.kref_of(self.entry_at(index + FIRST)?))))
    }

    /// Gives all memory back, and makes the pool as it was at first.
    ///
    /// # Safety
    /// Nobody uses the pool or its memory.
    pub(super) unsafe fn unmap(&self) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let entries = (FIRST as usize) << number;
            // With 32 bits the last chunks would be too large, so they do not exist.
            let (base, Some(size)) = (chunk.swap(0, Relaxed), self.chunk_size(entries)) else {
                break;
            };
            let first = base.wrapping_add(entries.wrapping_mul(self.stride())).wrapping_sub(1);
            let memory = ptr::with_exposed_provenance_mut(first - self.layout.lead as usize);
            if let (true, Some(memory)) = (base != 0, NonNull::new(memory)) {
                // SAFETY: `add_chunk` has mapped it with this size.
                unsafe { unmap(memory, size) };
            }
        }
        self.fresh.store(FIRST, Relaxed);
        self.seed.store(0, Relaxed);
        self.retired.store(0, Relaxed);
    }
}

/// Gives the memory of a chunk back.
///
/// # Safety
/// `map` has returned it, with this size, and nobody uses it again.
unsafe fn unmap(memory: NonNull<u8>, size: usize) {
    watch::unmapped(memory.as_ptr(), size);
    // SAFETY: as promised.
    unsafe { memory::unmap(memory, size) };
}

//! The free entries of a pool. Each CPU has a cache in front of its stack.
//!
//! With restartable sequences a thread takes the entry that was freed last on its CPU from the CPU's cache, and
//! frees an entry there. No other CPU accesses the cache. If the cache is empty, the thread fills half of it from
//! the stacks, with one exchange; if the cache is full, the thread pushes half of it on the CPU's stack, with one
//! exchange. So a thread that only allocates and one that only frees meet once for many entries.
//!
//! Without sequences the thread uses the stacks. So does a pool with a limit: an allocation must not fail while an
//! entry is free in the cache of another CPU. For the same reason a pool that gets no more memory from the system
//! may have some 60 free entries in the cache of each other CPU.
//!
//! A signal handler may interrupt each of these functions and use the pool. The kernel aborts a sequence for a
//! handler.

use core::ptr::NonNull;

use super::KrefPool;
use super::entries::{Entry, handle};
use crate::rseq::{Area, CACHED, Cached, CpuCache};
use crate::sys::sync::Ordering::{Acquire, Relaxed};

/// The number of entries that move between a cache and a stack at once.
const BATCH: usize = CACHED.div_ceil(2);

/// The caches of a pool, in a thread with sequences.
struct Caches {
    area: Area,
    first: NonNull<CpuCache>,
    cpus: u32,
}

impl KrefPool {
    /// Takes a free entry. `None` if there is none and none can be made.
    #[inline(always)]
    pub(super) fn take_free(&self) -> Option<(NonNull<Entry>, u32)> {
        match self.caches().map_or(Cached::GaveUp, |caches| caches.pop()) {
            Cached::Done(position) => Some((self.entry_at(position)?, position)),
            Cached::Not => self.take_shared(BATCH),
            Cached::GaveUp => self.take_shared(1),
        }
    }

    /// Frees an entry: raises its generation, so that its handle is stale, and keeps it for an allocation.
    ///
    /// # Safety
    /// The entry is in use, at this position of this pool, and its user gives it up.
    #[inline(always)]
    pub(super) unsafe fn put_free(&self, entry: NonNull<Entry>, position: u32) {
        // SAFETY: a pool's memory is valid while the pool lives.
        let Entry { generation, .. } = unsafe { entry.as_ref() };
        let Some(next) = self.next_generation(generation.load(Relaxed)) else {
            // Relaxed: no lookup succeeds, because the count stays dead.
            generation.store(0, Relaxed);
            return;
        };
        // Relaxed: the push is a release.
        generation.store(next, Relaxed);
        let caches = self.caches();
        match caches.as_ref().map_or(Cached::GaveUp, |caches| caches.push(position)) {
            Cached::Done(()) => {}
            Cached::Not => self.spill(caches, entry, handle(next, position)),
            Cached::GaveUp => self.put_shared(handle(next, position), entry),
        }
    }

    /// The caches. `None` if the threads have no sequences, or the pool has a limit, or does not have stacks yet.
    #[inline(always)]
    fn caches(&self) -> Option<Caches> {
        // A sanitizer does not see that the sequences order the users of an entry.
        if cfg!(kref_sanitized) || self.layout.limit != 0 {
            return None;
        }
        let area = Area::known()?;
        // Acquire: pairs with the release in `make_stacks`.
        let first = NonNull::new(self.stacks.load(Acquire))?.cast();
        Some(Caches { area, first, cpus: self.stack_count.load(Relaxed) })
    }

    /// Pushes an entry, and half of the full cache below it, on this CPU's stack. `head` is the entry's handle.
    #[cold]
    #[inline(never)]
    fn spill(&self, caches: Option<Caches>, entry: NonNull<Entry>, head: u64) {
        let mut last = entry;
        for _ in 1..BATCH {
            let Some(Cached::Done(position)) = caches.as_ref().map(Caches::pop) else { break };
            let Some(next) = self.entry_at(position) else { break };
            // SAFETY: a pool's memory is valid while the pool lives.
            unsafe { last.as_ref() }.link.store(position, Relaxed);
            last = next;
        }
        self.put_shared(head, last);
    }
}

impl Caches {
    #[inline(always)]
    fn pop(&self) -> Cached<u32> {
        // SAFETY: each stack begins with a cache, and there are so many stacks.
        unsafe { self.area.pop(self.first, self.cpus) }
    }

    #[inline(always)]
    fn push(&self, position: u32) -> Cached<()> {
        // SAFETY: as above.
        unsafe { self.area.push(self.first, self.cpus, position) }
    }
}

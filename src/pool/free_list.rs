//! The free entries of a pool. Each CPU has a cache in front of its stack.
//!
//! With restartable sequences a thread takes the entry that was freed last on its CPU from the CPU's cache, and frees
//! an entry there. No other CPU accesses the cache. If the cache is empty, the thread fills half of it from the
//! stacks, with one exchange; if the cache is full, the thread pushes half of it on the CPU's stack, with one
//! exchange. So if one thread only allocates and another one only frees, both access a shared stack only once for
//! many entries.
//!
//! Without sequences the thread uses the stacks. So does a pool with a limit: an allocation must not fail while an
//! entry is free in the cache of another CPU. In a pool without a limit, an allocation may fail for lack of memory
//! although each other CPU has up to 63 free entries in its cache.
//!
//! A signal handler may interrupt each of these functions and use the pool. The kernel aborts an interrupted sequence
//! before the handler runs.

use core::ptr::NonNull;

use super::KrefPool;
use super::entries::{Entry, handle};
use crate::rseq::{Area, CACHED, Cached, CpuCache};
use crate::sys::sync::Ordering::{Acquire, Relaxed};

/// The number of entries that move between a cache and a stack at once.
const BATCH: usize = CACHED.div_ceil(2);

/// The caches of a pool, in a thread with sequences.
#[derive(Clone, Copy)]
pub(super) struct Caches {
    area: Area,
    first: NonNull<CpuCache>,
    cpus: u32,
}

impl KrefPool {
    /// Takes a free entry, and returns its position. `None` if there is none and none can be made.
    #[inline(always)]
    pub(super) fn take_free(&self) -> Option<u32> {
        let Some(caches) = self.caches() else { return self.take_one() };
        match caches.pop() {
            Cached::Done(position) => Some(position),
            Cached::Not => self.refill(caches),
            Cached::GaveUp => self.take_one(),
        }
    }

    /// Frees an entry: raises its generation, so that its handle is stale, and keeps it for an allocation.
    ///
    /// # Safety
    /// The entry is in use, at this position of this pool, and its user gives it up.
    #[inline(always)]
    pub(super) unsafe fn put_free(&self, entry: NonNull<Entry>, position: u32) {
        let Some(generation) = self.raise(entry) else { return };
        let handle = handle(generation, position);
        let Some(caches) = self.caches() else { return self.put_shared(handle, entry) };
        match caches.push(position) {
            Cached::Done(()) => {}
            Cached::Not => self.spill(caches, handle, entry),
            Cached::GaveUp => self.put_shared(handle, entry),
        }
    }

    /// The caches. `None` if the process has no sequences, or the pool has a limit or no stacks yet.
    #[inline(always)]
    pub(super) fn caches(&self) -> Option<Caches> {
        // A sanitizer does not see that the sequences order the users of an entry.
        if cfg!(kref_sanitized) || self.layout.limit != 0 {
            return None;
        }
        let area = Area::known()?;
        // Acquire: pairs with the release in `make_stacks`.
        let first = NonNull::new(self.stacks.load(Acquire))?.cast();
        Some(Caches { area, first, cpus: self.stack_count.load(Relaxed) })
    }

    /// Takes an entry without a cache.
    #[inline(never)]
    fn take_one(&self) -> Option<u32> {
        let mut one = [0];
        (self.take_shared(&mut one) != 0).then_some(one[0])
    }

    /// Takes an entry, and half of what the empty cache has room for.
    #[cold]
    #[inline(never)]
    pub(super) fn refill(&self, caches: Caches) -> Option<u32> {
        let mut taken = [0; BATCH];
        let number = self.take_shared(&mut taken);
        let (&first, rest) = taken.get(..number)?.split_first()?;
        // The last one first, so that the entry that was freed last is used next.
        for &position in rest.iter().rev() {
            if !matches!(caches.push(position), Cached::Done(())) {
                self.put_back(position);
            }
        }
        Some(first)
    }

    /// Frees an entry that was taken from a stack, and not used.
    #[cold]
    #[inline(never)]
    pub(super) fn put_back(&self, position: u32) {
        if let Some(entry) = self.entry_at(position) {
            // SAFETY: the caller has taken the entry.
            unsafe { self.put_free(entry, position) };
        }
    }

    /// Pushes an entry and half of the full cache on this CPU's stack. `first` is the entry's handle.
    #[cold]
    #[inline(never)]
    fn spill(&self, caches: Caches, first: u64, entry: NonNull<Entry>) {
        let mut last = entry;
        for _ in 1..BATCH {
            let Cached::Done(position) = caches.pop() else { break };
            let Some(next) = self.entry_at(position) else { break };
            // Raised: the entry may have been on a stack with its present generation, and comes to the stacks at most
            // once with each.
            if self.raise(next).is_some() {
                // SAFETY: a pool's memory is valid while the pool lives.
                unsafe { last.as_ref() }.link.store(position, Relaxed);
                last = next;
            }
        }
        self.put_shared(first, last);
    }

    /// Raises the generation of an entry that nobody else has, and returns it. `None` after the last one: the entry
    /// is retired.
    #[inline(always)]
    fn raise(&self, entry: NonNull<Entry>) -> Option<u32> {
        // SAFETY: a pool's memory is valid while the pool lives.
        let Entry { generation, .. } = unsafe { entry.as_ref() };
        let next = self.next_generation(generation.load(Relaxed));
        // Relaxed: the push is a release. After the last one no lookup succeeds, because the count stays dead.
        generation.store(next.unwrap_or(0), Relaxed);
        if next.is_none() {
            self.retired.fetch_add(1, Relaxed);
        }
        next
    }
}

impl Caches {
    #[inline(always)]
    pub(super) fn pop(&self) -> Cached<u32> {
        // SAFETY: each stack begins with a cache, and there are `cpus` stacks.
        unsafe { self.area.pop(self.first, self.cpus) }
    }

    #[inline(always)]
    fn push(&self, position: u32) -> Cached<()> {
        // SAFETY: as above.
        unsafe { self.area.push(self.first, self.cpus, position) }
    }
}

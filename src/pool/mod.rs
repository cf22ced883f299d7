//! `KrefPool`: objects that a handle names. A handle of an object that is gone answers "gone"; it never dangles.
//!
//! | file | what it has |
//! |---|---|
//! | [`layout`] | what a pool's creator says about its objects, and where they are in the memory |
//! | [`entries`] | the memory: chunks, positions, generations |
//! | [`free_list`] | the entries that are free: a cache for each CPU, and batches to and from the stacks |
//! | [`stacks`] | where the caches get entries: a stack for each CPU, which all threads may use |
//! | [`lookup`] | a reference by handle, and what lookups leave to the pool |
//!
//! A pool's memory is never given back while the pool lives, so a lookup by a stale handle may always read it. An
//! *entry* is an object with eight bytes in front of it: its *generation*, and a link. A handle is the generation
//! that the object has, and the entry's position.
//!
//! # The life of an entry
//!
//! 1. *Allocated*: the count is dead, so no lookup succeeds. The creator fills the object in.
//! 2. *Published*: the count is 1. Lookups by the handle take references.
//! 3. The last put makes the count dead, and calls the pool's release function. That function frees the entry:
//!    the generation is raised, and then the entry goes to the free list. From here on the old handle matches no
//!    object.
//!
//! # A lookup
//!
//! Compare the generation; take a reference unless the count is dead; compare the generation again. If the second
//! comparison fails, the lookup has taken a reference on a newer object, which got the entry after the first
//! comparison. Then the lookup gives the reference back. The result would be right without the first comparison. It
//! only keeps most stale lookups from writing to the count of a newer object.
//!
//! # Orderings, each with its partner
//!
//! | write | read | reason |
//! |---|---|---|
//! | a chunk's address: release | acquire in `entry_at` | the reader sees the chunk's zeros |
//! | publish: release on the count | acquire of the lookup that takes a reference | the reader sees the object, and the generation that it had when it was published |
//! | every put: release on the count | acquire of the last put | libkref's own: the generation is raised after every use of the object |
//! | push on a stack: release | acquire of the pop | the next owner sees the raised generation |
//! | push on a CPU's cache: none | none | one CPU executes both: see the first page of [`rseq`](crate::rseq) |
//! | park: release on the list | acquire of the drain | the drain sees the link to the next parked entry |
//! | the drain's put: release on the count | acquire in `park` | a lookup that parks the entry again sees the link that the drain has restored |
//!
//! The second comparison is relaxed. It cannot find an older generation than the one at the publish, because of
//! the acquire. It cannot find a younger one, because a younger one is written after this lookup's own
//! reference was given back.

mod entries;
mod free_list;
mod layout;
mod lookup;
mod stacks;

use core::ffi::c_void;
#[cfg(feature = "capi")]
use core::mem::offset_of;
use core::ptr::NonNull;

use crate::count::SATURATED;
use crate::kind::{Caller, ViolationKind};
use crate::kref::Kref;
use crate::report::report;
use crate::sys::sync::Ordering::Relaxed;
use crate::sys::sync::{AtomicPtr, AtomicU32, AtomicUsize};
use crate::sys::watch;
use entries::{CHUNKS, Entry, FIRST};
pub(crate) use layout::Layout;
use layout::ZEROED;
use stacks::Stack;

/// Names one object of one pool, for ever. Never 0.
pub(crate) type RawHandle = u64;

/// A pool of objects of one type: C's `struct kref_pool`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct KrefPool {
    // What a lookup reads: written when a chunk is added.
    chunks: [AtomicUsize; CHUNKS],
    layout: Layout,
    /// The generation of an entry at its first use. Each pool begins with another generation, so that a handle of one
    /// pool rarely matches in another pool. 0 before the first allocation.
    seed: AtomicU32,
    /// The number of stacks. 0 before the first allocation.
    stack_count: AtomicU32,
    stacks: AtomicPtr<Stack>,
    // What an allocation writes.
    apart: [u8; 64],
    /// The position of the first entry that was never used.
    fresh: AtomicU32,
    /// The position of the first parked entry, or 0.
    parked: AtomicU32,
    /// The number of entries whose generations have run out.
    retired: AtomicU32,
}

/// A pool with these chunks. A `const fn` cannot make the atomics of loom.
macro_rules! empty {
    ($chunks:expr, $layout:expr) => {
        Self {
            chunks: $chunks,
            layout: $layout,
            seed: AtomicU32::new(0),
            stack_count: AtomicU32::new(0),
            stacks: AtomicPtr::new(core::ptr::null_mut()),
            apart: [0; 64],
            fresh: AtomicU32::new(FIRST),
            parked: AtomicU32::new(0),
            retired: AtomicU32::new(0),
        }
    };
}

// SAFETY: atomics, a function pointer, a string that nobody changes, and numbers.
unsafe impl Sync for KrefPool {}

impl KrefPool {
    /// What the inlined lookup of kref/inline.h depends on: where a pool has its chunks, the distance of two entries
    /// and the place of the kref; the first position; and the size of an entry.
    #[cfg(feature = "capi")]
    #[allow(dead_code, reason = "Rust 1.85 does not see a use in a constant without a name")]
    pub(crate) const INLINED: [usize; 5] = [
        offset_of!(Self, chunks),
        offset_of!(Self, layout) + offset_of!(Layout, stride),
        offset_of!(Self, layout) + offset_of!(Layout, kref_at),
        FIRST as usize,
        entries::ENTRY as usize,
    ];

    /// An empty pool. Takes no memory yet.
    #[cfg(not(loom))]
    pub(crate) const fn new(layout: Layout) -> Self {
        empty!([const { AtomicUsize::new(0) }; CHUNKS], layout)
    }

    /// An empty pool, in a loom model.
    #[cfg(loom)]
    pub(crate) fn new(layout: Layout) -> Self {
        empty!(core::array::from_fn(|_| AtomicUsize::new(0)), layout)
    }

    /// Takes an entry. Its count is dead, so no lookup finds the object until [`publish`](Self::publish). `None`
    /// if there is no memory, or the pool has its limit of objects.
    pub(crate) fn alloc(&self) -> Option<NonNull<Kref>> {
        let position = self.take_free()?;
        let entry = self.entry_at(position)?;
        // SAFETY: the entry is the pool's, and nobody else's now.
        unsafe { entry.as_ref() }.link.store(position, Relaxed);
        let kref = self.kref_of(entry);
        // A put too many on the entry's previous object, after that object's end, may have saturated the count. That
        // put was reported, and the new object is not to blame.
        // SAFETY: as above.
        let count = unsafe { kref.as_ref() };
        if !count.is_dead() {
            count.set_dead();
        }
        if watch::is_on() {
            self.announce(kref, watch::allow);
        }
        if self.layout.flags & ZEROED != 0 {
            for (memory, size) in self.around(kref) {
                // SAFETY: a part of the object, which is nobody else's.
                unsafe { memory.write_bytes(0, size) };
            }
        }
        Some(kref)
    }

    /// Makes the object of `kref` findable. The caller holds its one reference.
    ///
    /// A count that is not dead has been touched since the allocation, by a `kref_init` for example. A lookup may
    /// have taken a reference on it, so the object leaks, and the violation is reported.
    ///
    /// # Safety
    /// `kref` came from [`alloc`](Self::alloc) of this pool, and was not published.
    pub(crate) unsafe fn publish(&self, kref: NonNull<Kref>, caller: Caller) {
        // A free entry has a dead count, too.
        if self.position_in_use(kref).is_none() {
            return report(ViolationKind::BadPublish, kref.as_ptr().cast(), caller);
        }
        // SAFETY: a pool's memory is valid while the pool lives.
        if let Err(kind) = unsafe { kref.as_ref() }.publish(self.layout.type_name) {
            report(kind, kref.as_ptr().cast(), caller);
        }
    }

    /// Gives the entry of `kref` back to the pool: the last thing that the release function does. An object that was
    /// allocated and not published may be freed too. After each call of this function the caller must drain the pool.
    ///
    /// # Safety
    /// `kref` is in an entry of this pool, and nobody uses the object any more.
    pub(crate) unsafe fn free(&self, kref: NonNull<Kref>, caller: Caller) {
        // SAFETY: as promised.
        let is_dead = unsafe { kref.as_ref() }.is_dead();
        // A second free is found, and so is an object of another pool.
        let Some(position) = self.position_in_use(kref).filter(|_| is_dead) else {
            return report(ViolationKind::BadFree, kref.as_ptr().cast(), caller);
        };
        let entry = self.entry_of(kref);
        // SAFETY: the entry is in use.
        unsafe { entry.as_ref() }.link.store(0, Relaxed);
        if watch::is_on() {
            self.announce(kref, watch::forbid);
        }
        // SAFETY: the entry is in use, and its last user gives it up.
        unsafe { self.put_free(entry, position) };
    }

    /// The position of an entry that is in use and not parked. A free entry has another link.
    #[inline(always)]
    fn position_in_use(&self, kref: NonNull<Kref>) -> Option<u32> {
        let entry = self.entry_of(kref);
        // SAFETY: the kref is behind an entry.
        let link = unsafe { entry.as_ref() }.link.load(Relaxed);
        (self.entry_at(link) == Some(entry)).then_some(link)
    }

    /// The handle of the object of `kref`. 0 if it is not in this pool.
    ///
    /// # Safety
    /// `kref` is in an entry of this pool, and the caller holds a reference or has not published it yet.
    pub(crate) unsafe fn handle(&self, kref: NonNull<Kref>) -> RawHandle {
        let entry = self.entry_of(kref);
        // SAFETY: as promised.
        let generation = unsafe { entry.as_ref() }.generation.load(Relaxed);
        match self.position_of(entry) {
            Some(position) => entries::handle(generation, position),
            None => 0,
        }
    }

    /// The number of objects that are alive. Looks at every entry.
    pub(crate) fn count(&self) -> usize {
        self.alive().count()
    }

    fn alive(&self) -> impl Iterator<Item = NonNull<Kref>> {
        self.entries(0).map(|(_, kref)| kref).filter(|&kref| self.is_alive(kref))
    }

    /// Gives the pool's memory back. Afterwards each handle of the pool answers `None`, and the pool may be used
    /// again. If an object is alive, nothing happens but a report. Returns how many are alive.
    ///
    /// # Safety
    /// No other thread uses the pool meanwhile, and nobody uses a pointer into its memory later.
    pub(crate) unsafe fn destroy(&self, caller: Caller) -> usize {
        self.drain();
        let mut alive = self.alive();
        if let Some(first) = alive.next() {
            let others = alive.count();
            report(ViolationKind::PoolAlive, first.as_ptr().cast(), caller);
            return 1 + others;
        }
        // SAFETY: no object is alive, and as promised nobody uses the memory.
        unsafe {
            self.unmap();
            self.unmap_stacks();
        }
        0
    }

    fn is_alive(&self, kref: NonNull<Kref>) -> bool {
        // SAFETY: a pool's memory is valid while the pool lives.
        match unsafe { kref.as_ref() }.read() {
            0 => false,
            // A put too many after the object's end saturates the count of a free entry.
            SATURATED => self.position_in_use(kref).is_some(),
            _ => true,
        }
    }

    /// The parts of an object before and behind its count. A lookup by a stale handle may read the count at any time.
    fn around(&self, kref: NonNull<Kref>) -> [(*mut u8, usize); 2] {
        let Layout { size, kref_at, .. } = self.layout;
        let object = self.object_of(kref).cast::<u8>();
        let after = kref_at as usize + size_of::<Kref>();
        [(object, kref_at as usize), (object.wrapping_add(after), size as usize - after)]
    }

    /// Tells AddressSanitizer or valgrind that an object's memory may be used now, or no longer.
    #[cold]
    #[inline(never)]
    fn announce(&self, kref: NonNull<Kref>, what: fn(*const u8, usize)) {
        for (memory, size) in self.around(kref) {
            what(memory, size);
        }
    }

    /// The object that contains `kref`.
    pub(crate) fn object_of(&self, kref: NonNull<Kref>) -> *mut c_void {
        kref.as_ptr().cast::<c_void>().wrapping_byte_sub(self.layout.kref_at as usize)
    }

    fn kref_of(&self, entry: NonNull<Entry>) -> NonNull<Kref> {
        // SAFETY: the object follows the entry, and contains the kref.
        unsafe { entry.add(1).byte_add(self.layout.kref_at as usize).cast() }
    }

    fn entry_of(&self, kref: NonNull<Kref>) -> NonNull<Entry> {
        // SAFETY: as above, for a kref of a pool. For any other, the address is only compared.
        unsafe { kref.byte_sub(self.layout.kref_at as usize).cast::<Entry>().sub(1) }
    }
}

#[cfg(all(loom, test))]
mod free_list_models;
#[cfg(all(loom, test))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

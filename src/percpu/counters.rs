//! The counters of percpu references: one for each CPU and percpu reference.
//!
//! Counters are allocated from chunks. A chunk has a part of 512 bytes for each CPU. The counters of
//! one percpu reference have the same offset in all parts, and take 8 bytes in each. So the counters of
//! two CPUs are never in one cache line. (Parts of a page each would do so too. But a kill reads all
//! counters of a percpu reference, and would then touch more pages.)
//!
//! ```text
//!  chunk: | header | CPU 0: counter 0, 1, .. 63 | CPU 1: counter 0, 1, .. 63 | ...
//! ```
//!
//! A chunk stays mapped for ever, as the first page of rseq/ demands. When no counter is in use any more, its memory is
//! given back, except for the first page.

use core::ptr::{self, NonNull};

use super::word::is_a_count;
use crate::rseq::CPU_SHIFT;
use crate::sys::lock::{PthreadMutex, RawLock};
use crate::sys::memory;
use crate::sys::sync::{AtomicIsize, Ordering::Relaxed};

/// The size of a chunk's header, and of each CPU's part.
const PART: usize = 1 << CPU_SHIFT;
/// A chunk begins at the start of a page, which contains the header and the part of CPU 0.
const PAGE: usize = 4096;

/// The counters of one percpu reference. All are zero when they are taken, and when they are given back.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    first: NonNull<AtomicIsize>,
    cpus: u32,
}

/// The header of a chunk.
struct Chunk {
    /// One bit for each offset in a part: whether the counters at this offset are in use.
    taken: u64,
    /// The chunk's neighbours in the list of chunks with free counters.
    next: *mut Chunk,
    previous: *mut Chunk,
}

// `taken` has a bit for each counter. Where a counter has 4 bytes, half of a part is unused.
const _: () = assert!(PART / size_of::<AtomicIsize>() >= u64::BITS as usize);
const _: () = assert!(size_of::<Chunk>() <= PART);

/// The chunks with free counters. Guarded by `LOCK`.
static mut WITH_ROOM: *mut Chunk = ptr::null_mut();
static LOCK: PthreadMutex = PthreadMutex::new();

/// Runs `work` on the list of chunks, under the lock. Locking a default mutex that nobody destroys
/// cannot fail.
fn with_list<T>(work: impl FnOnce(&mut *mut Chunk) -> T) -> T {
    let _ = LOCK.lock();
    // SAFETY: no other thread accesses the list, because this thread holds the lock.
    let result = work(unsafe { &mut *ptr::addr_of_mut!(WITH_ROOM) });
    // SAFETY: taken above.
    unsafe { LOCK.unlock() };
    result
}

impl Counters {
    /// Takes counters for `cpus` CPUs. `None` if there is no memory.
    pub(crate) fn take(cpus: u32) -> Option<Self> {
        with_list(|list| {
            if list.is_null() {
                // SAFETY: a new chunk is in no list.
                unsafe { Chunk::link(Chunk::map(cpus)?.as_ptr(), list) };
            }
            let chunk = *list;
            // SAFETY: the chunks of the list are mapped, and have free counters.
            let place = unsafe { (*chunk).take() };
            // SAFETY: as above. A chunk without free counters is taken out of the list.
            unsafe {
                if (*chunk).is_full() {
                    Chunk::unlink(chunk, list);
                }
            }
            // SAFETY: the address is in the chunk, after its header.
            let first = unsafe { chunk.byte_add(PART).cast::<AtomicIsize>().add(place) };
            let counters = Self { first: NonNull::new(first)?, cpus };
            #[cfg(loom)]
            counters.make();
            Some(counters)
        })
    }

    /// Makes the counters of a loom model. An atomic of loom is not a number in memory, so memory that is
    /// filled with zeros is no counter.
    #[cfg(loom)]
    fn make(self) {
        for cpu in 0..self.cpus as usize {
            // SAFETY: the counter is at the same offset in another part of the chunk, and in nobody's use.
            unsafe { self.first.byte_add(cpu * PART).write(AtomicIsize::new(0)) };
        }
    }

    /// The counters whose counter for CPU 0 is `first`.
    ///
    /// # Safety
    /// `first` came from [`first`](Self::first). These counters are for `cpus` CPUs and still in use.
    pub(crate) unsafe fn from_first(first: NonNull<AtomicIsize>, cpus: u32) -> Self {
        Self { first, cpus }
    }

    /// The counter of CPU 0.
    pub(crate) fn first(self) -> NonNull<AtomicIsize> {
        self.first
    }

    /// Gives the counters back to their chunk.
    ///
    /// # Safety
    /// The counters are in use and belong to the caller. All are zero, and nobody uses them again.
    pub(crate) unsafe fn give_back(self) {
        let chunk: *mut Chunk = self.first.as_ptr().map_addr(|at| at & !(PAGE - 1)).cast();
        let place = (self.first.addr().get() % PART) / size_of::<AtomicIsize>();
        with_list(|list| {
            // SAFETY: a chunk stays mapped. It is in the list if and only if it has free counters. If it is empty, nobody
            // uses its memory, which is zero.
            unsafe {
                let was_full = (*chunk).is_full();
                (*chunk).give_back(place);
                if was_full {
                    Chunk::link(chunk, list);
                }
                // The header's page stays as it is.
                let size = Chunk::size(self.cpus);
                if (*chunk).is_empty() && size > PAGE {
                    memory::discard(chunk.byte_add(PAGE).cast(), size - PAGE);
                }
            }
        });
    }

    /// Returns the sum of the counters and sets them to zero. `None` if the sum is not a possible count.
    ///
    /// # Safety
    /// The counters are in use and belong to the caller, and no thread adds to them any more.
    pub(crate) unsafe fn take_sum(self) -> Option<isize> {
        let mut sum = Some(0_isize);
        for cpu in 0..self.cpus as usize {
            // SAFETY: the counter is at the same offset in another part of the chunk.
            let counter = unsafe { self.first.byte_add(cpu * PART).as_ref() };
            // Relaxed: the fence orders the load. Zero is not stored over zero, because a page that
            // nobody has written to needs no memory.
            let part = counter.load(Relaxed);
            if part != 0 {
                counter.store(0, Relaxed);
            }
            // The old sum was a possible count. So if the addition wraps, the new sum is far from zero, and
            // `is_a_count` refuses it.
            sum = sum.map(|sum| sum.wrapping_add(part)).filter(|sum| is_a_count(*sum));
        }
        sum
    }
}

impl Chunk {
    fn size(cpus: u32) -> usize {
        PART * (cpus as usize + 1)
    }

    /// Maps a new chunk. All its counters are zero and free, and it is in no list.
    fn map(cpus: u32) -> Option<NonNull<Self>> {
        memory::map(Self::size(cpus)).map(NonNull::cast)
    }

    /// Takes a free place in a chunk that is not full. Returns the number of the place.
    fn take(&mut self) -> usize {
        let place = self.taken.trailing_ones();
        self.taken |= 1 << place;
        place as usize
    }

    fn give_back(&mut self, place: usize) {
        self.taken &= !(1 << place);
    }

    fn is_full(&self) -> bool {
        self.taken == u64::MAX
    }

    fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// # Safety
    /// All chunks of the list are mapped. `chunk` is mapped too, and not in the list.
    unsafe fn link(chunk: *mut Self, list: &mut *mut Self) {
        // SAFETY: as promised.
        unsafe {
            (*chunk).previous = ptr::null_mut();
            (*chunk).next = *list;
            if let Some(next) = list.as_mut() {
                next.previous = chunk;
            }
        }
        *list = chunk;
    }

    /// # Safety
    /// All chunks of the list are mapped, and `chunk` is one of them.
    unsafe fn unlink(chunk: *mut Self, list: &mut *mut Self) {
        // SAFETY: as promised.
        unsafe {
            let (next, previous) = ((*chunk).next, (*chunk).previous);
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => *list = next,
            }
        }
    }
}

//! The other half of a percpu reference: a counter for each CPU.
//!
//! Counters come in chunks of one page for each CPU. The counters of one reference stand at the same
//! place in each of the chunk's pages: 8 bytes for each CPU and reference, neighbours with the same
//! CPU's other counters and never in one cache line with another CPU's. What a CPU never touches
//! costs address space and no memory.
//!
//! ```text
//!  chunk: | header | CPU 0: counter 0, 1, .. 511 | CPU 1: counter 0, 1, .. 511 | ...
//! ```

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use crate::locked::{PthreadMutex, RawLock};
use crate::sync::{AtomicIsize, Ordering::Relaxed};

/// The binary logarithm of the distance between the counters of one reference: a page. The sequences
/// shift by it, those in kref/percpu.h too.
pub(crate) const CPU_SHIFT: usize = 12;

const PAGE: usize = 1 << CPU_SHIFT;
const PER_PAGE: usize = PAGE / size_of::<AtomicIsize>();
const WORDS: usize = PER_PAGE / u64::BITS as usize;

/// The counters of one reference: each zero when they are taken and when they are given back.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    first: NonNull<AtomicIsize>,
    cpus: u32,
}

/// The first page of a chunk.
struct Chunk {
    taken: [u64; WORDS],
    /// The neighbours in the list of chunks that have room.
    next: *mut Chunk,
    previous: *mut Chunk,
}

/// The chunks that have room. Guarded by `LOCK`.
static mut WITH_ROOM: *mut Chunk = ptr::null_mut();
static LOCK: PthreadMutex = PthreadMutex::new();

/// Runs `work` with the list of chunks. A default mutex that is never destroyed cannot fail to lock.
fn with_list<T>(work: impl FnOnce(&mut *mut Chunk) -> T) -> T {
    let _ = LOCK.lock();
    // SAFETY: nobody else is here while the lock is held.
    let result = work(unsafe { &mut *ptr::addr_of_mut!(WITH_ROOM) });
    // SAFETY: taken above.
    unsafe { LOCK.unlock() };
    result
}

impl Counters {
    /// A zero for each of `cpus` CPUs, or `None` if there is no memory.
    pub(crate) fn take(cpus: u32) -> Option<Self> {
        with_list(|list| {
            if list.is_null() {
                // SAFETY: the chunk is new and in no list.
                unsafe { Chunk::link(Chunk::map(cpus)?.as_ptr(), list) };
            }
            let chunk = *list;
            // SAFETY: what is in the list is mapped, and has room.
            let place = unsafe { (*chunk).take() };
            // SAFETY: as above; a full chunk leaves the list.
            unsafe {
                if (*chunk).is_full() {
                    Chunk::unlink(chunk, list);
                }
            }
            // SAFETY: within the chunk's second page.
            let first = unsafe { chunk.byte_add(PAGE).cast::<AtomicIsize>().add(place) };
            Some(Self { first: NonNull::new(first)?, cpus })
        })
    }

    /// The counters whose first is there.
    ///
    /// # Safety
    /// It came from [`first`](Self::first), with as many CPUs, and was not given back since.
    pub(crate) unsafe fn from_first(first: NonNull<AtomicIsize>, cpus: u32) -> Self {
        Self { first, cpus }
    }

    /// The counter of CPU 0.
    pub(crate) fn first(self) -> NonNull<AtomicIsize> {
        self.first
    }

    /// Gives the counters back.
    ///
    /// # Safety
    /// They are ours, all zero, and nobody will use them again.
    pub(crate) unsafe fn give_back(self) {
        let page = self.first.as_ptr().map_addr(|address| address & !(PAGE - 1));
        let place = (self.first.addr().get() % PAGE) / size_of::<AtomicIsize>();
        let chunk: *mut Chunk = page.wrapping_byte_sub(PAGE).cast();
        with_list(|list| {
            // SAFETY: the counters' chunk is mapped as long as one of its counters is taken, and in
            // the list exactly if it has room.
            unsafe {
                let was_full = (*chunk).is_full();
                (*chunk).give_back(place);
                if was_full {
                    Chunk::link(chunk, list);
                }
                if (*chunk).is_empty() {
                    Chunk::unlink(chunk, list);
                    libc::munmap(chunk.cast(), Chunk::size(self.cpus));
                }
            }
        });
    }

    /// The sum of the counters, which are zero afterwards.
    ///
    /// # Safety
    /// They are ours, and no CPU is adding to them any more.
    pub(crate) unsafe fn take_sum(self) -> isize {
        (0..self.cpus as usize).fold(0, |sum: isize, cpu| {
            // SAFETY: one of the chunk's pages, at the same place as the first.
            let counter = unsafe { self.first.byte_add(cpu * PAGE).as_ref() };
            // Relaxed: the fence orders it. Only written where there is something: a page that no CPU
            // has touched stays unbacked.
            let part = counter.load(Relaxed);
            if part != 0 {
                counter.store(0, Relaxed);
            }
            sum.wrapping_add(part)
        })
    }
}

impl Chunk {
    fn size(cpus: u32) -> usize {
        PAGE * (cpus as usize + 1)
    }

    /// A new chunk, all zero: empty, and in no list.
    fn map(cpus: u32) -> Option<NonNull<Self>> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, wherever the kernel puts it.
        let memory: *mut c_void =
            unsafe { libc::mmap(ptr::null_mut(), Self::size(cpus), protection, kind, -1, 0) };
        NonNull::new(memory.cast()).filter(|_| memory != libc::MAP_FAILED)
    }

    /// Takes a place of a chunk that has room.
    fn take(&mut self) -> usize {
        for (index, word) in self.taken.iter_mut().enumerate() {
            if *word != u64::MAX {
                let bit = word.trailing_ones();
                *word |= 1 << bit;
                return index * u64::BITS as usize + bit as usize;
            }
        }
        0
    }

    fn give_back(&mut self, place: usize) {
        if let Some(word) = self.taken.get_mut(place / u64::BITS as usize) {
            *word &= !(1 << (place % u64::BITS as usize));
        }
    }

    fn is_full(&self) -> bool {
        self.taken.iter().all(|&word| word == u64::MAX)
    }

    fn is_empty(&self) -> bool {
        self.taken.iter().all(|&word| word == 0)
    }

    /// # Safety
    /// The list's chunks are mapped, and so is this one, which is not among them.
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
    /// The list's chunks are mapped, and this one is among them.
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

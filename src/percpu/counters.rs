//! The other half of a percpu reference: a counter for each CPU.
//!
//! Counters come in chunks, in which each CPU has 512 bytes of its own. The counters of one reference
//! stand at the same place in each CPU's: 8 bytes for each CPU and reference, neighbours with the same
//! CPU's other counters and never in one cache line with another CPU's. (A page for each CPU would be as
//! good for the CPUs; but a kill reads all of a reference's counters, and so touches fewer pages.)
//!
//! ```text
//!  chunk: | header | CPU 0: counter 0, 1, .. 63 | CPU 1: counter 0, 1, .. 63 | ...
//! ```

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use crate::locked::{PthreadMutex, RawLock};
use crate::sync::{AtomicIsize, Ordering::Relaxed};

/// The binary logarithm of the distance between the counters of one reference. The sequences shift by
/// it, those in kref/percpu.h too.
pub(crate) const CPU_SHIFT: usize = 9;

/// What each CPU has of a chunk, and the header.
const PART: usize = 1 << CPU_SHIFT;
/// A chunk begins at a page, and its header and its first counters are in it.
const PAGE: usize = 4096;

/// The counters of one reference: each zero when they are taken and when they are given back.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    first: NonNull<AtomicIsize>,
    cpus: u32,
}

/// The beginning of a chunk.
struct Chunk {
    /// A bit for each counter.
    taken: u64,
    /// The neighbours in the list of chunks that have room.
    next: *mut Chunk,
    previous: *mut Chunk,
}

const _: () = assert!(PART / size_of::<AtomicIsize>() == u64::BITS as usize);
const _: () = assert!(size_of::<Chunk>() <= PART);

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
            // SAFETY: within the chunk, behind its header.
            let first = unsafe { chunk.byte_add(PART).cast::<AtomicIsize>().add(place) };
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
        let chunk: *mut Chunk = self.first.as_ptr().map_addr(|at| at & !(PAGE - 1)).cast();
        let place = (self.first.addr().get() % PART) / size_of::<AtomicIsize>();
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
            // SAFETY: a CPU's part of the chunk, at the same place as in the first.
            let counter = unsafe { self.first.byte_add(cpu * PART).as_ref() };
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
        PART * (cpus as usize + 1)
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

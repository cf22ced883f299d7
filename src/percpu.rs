//! `PercpuRef`: a reference count for the hottest objects, counted on each CPU apart.
//!
//! While it is alive, a get or a put is a plain addition to a counter of the CPU that it runs on, in
//! a restartable sequence: no atomic operation, nothing that two CPUs share. The price is that nobody
//! can say when it is zero. So it holds a reference of its own, the initial one, until
//! [`kill`](PercpuRef::kill): it stops the counting on CPUs, adds the counters up, and gives the
//! initial reference back. From then on the count is one atomic word, and the last put releases.
//!
//! ```text
//!  per CPU:   cpus > 0:  add n to counter[this CPU]           -- a sequence, see rseq.rs
//!  atomic:    cpus = 0:  add n to the word                    -- also any thread without rseq
//!
//!  kill:      mark the word dead;  cpus = 0;  fence;  word += sum of counters;  confirm;  put
//! ```
//!
//! After the fence every sequence that found `cpus` above zero has committed, and its addition is
//! in the sum; all others find zero, and go to the word. So the sum is exact, at once. A thread that
//! has no rseq adds to the word in either mode, and never needs to know which it is.
//!
//! One compare serves a sequence: the CPU's number against `cpus`. It fails for a CPU that has no
//! counter, for a thread that is not registered, whose CPU is negative, and in atomic mode.

pub(crate) mod counters;
mod mode;
mod owned;
mod slot;
mod word;

#[cfg(not(loom))]
use core::mem::offset_of;
use core::ptr::{self, NonNull};

use crate::rseq::{Area, add};
use crate::sync::{AtomicIsize, AtomicPtr, AtomicU32, Ordering::Relaxed};
use crate::tsan;
use crate::violation::{Violation, report};

use counters::Counters;
pub use owned::{PercpuHandle, PercpuOwner, PercpuRefcounted, PercpuSlot};
pub use slot::PercpuRefSlot;
use word::{MOST, Put, Word};

/// Start counting atomically, until [`PercpuRef::switch_to_percpu`].
pub const INIT_ATOMIC: u32 = 1;
/// Start dead, with no reference, until [`PercpuRef::reinit`].
pub const INIT_DEAD: u32 = 2;
/// Keep the counters when it is killed, for [`PercpuRef::resurrect`].
pub const ALLOW_REINIT: u32 = 4;

/// Releases the object around a reference, or hears that it is killed.
pub type PercpuFn = unsafe extern "C" fn(percpu: NonNull<PercpuRef>);

/// A reference count whose get and put cost no atomic operation: the kernel's and C's
/// `struct percpu_ref`. May be moved until others know it.
#[repr(C)]
#[derive(Debug)]
pub struct PercpuRef {
    /// CPU 0's counter. Null without counters.
    counters: AtomicPtr<AtomicIsize>,
    /// Where a thread's rseq area is. Zero without counters.
    rseq: AtomicIsize,
    /// How many CPUs have a counter that may be used now; zero in atomic mode.
    cpus: AtomicU32,
    /// What only the slow ways need. Null before `init` and after `exit`.
    data: AtomicPtr<Data>,
}

/// Apart from what every get reads, in a cache line of its own.
#[repr(C, align(64))]
struct Data {
    word: Word,
    release: PercpuFn,
    /// How many CPUs have a counter.
    cpus: u32,
    /// `INIT_ATOMIC` as long as it is to stay atomic, and `ALLOW_REINIT`. Changed under the lock.
    flags: AtomicU32,
}

/// Why there is no new reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// There is no memory for it.
    OutOfMemory,
    /// A flag that is none.
    UnknownFlag,
}

impl PercpuRef {
    // Where the sequences find what they read, those in kref/percpu.h too. In a model there are none.
    #[cfg(not(loom))]
    pub(crate) const COUNTERS: usize = offset_of!(Self, counters);
    #[cfg(not(loom))]
    pub(crate) const RSEQ: usize = offset_of!(Self, rseq);
    #[cfg(not(loom))]
    pub(crate) const CPUS: usize = offset_of!(Self, cpus);

    /// A reference with one reference on it, the initial one. `release` is called by whoever gives
    /// back the last.
    ///
    /// # Safety
    /// `release` may be called with this reference, wherever that is by then, once.
    pub unsafe fn new(release: PercpuFn, flags: u32) -> Result<Self, InitError> {
        if flags & !(INIT_ATOMIC | INIT_DEAD | ALLOW_REINIT) != 0 {
            return Err(InitError::UnknownFlag);
        }
        let dead = flags & INIT_DEAD != 0;
        let allows = if flags & (INIT_ATOMIC | INIT_DEAD) != 0 { ALLOW_REINIT } else { 0 };
        let area = Area::decided().filter(|area| area.cpus() > 0);
        let data = Data {
            word: Word::new(if dead { 0 } else { 1 }, dead),
            release,
            cpus: area.map_or(0, Area::cpus),
            flags: AtomicU32::new(flags & (INIT_ATOMIC | ALLOW_REINIT) | allows),
        };
        let data = data.allocate().ok_or(InitError::OutOfMemory)?;
        let mut counters = ptr::null_mut();
        if let Some(area) = area {
            let Some(taken) = Counters::take(area.cpus()) else {
                // SAFETY: allocated above, and nobody else knows it.
                unsafe { Data::free(data) };
                return Err(InitError::OutOfMemory);
            };
            counters = taken.first().as_ptr();
        }
        let new = Self {
            counters: AtomicPtr::new(counters),
            rseq: AtomicIsize::new(area.map_or(0, Area::keep)),
            cpus: AtomicU32::new(0),
            data: AtomicPtr::new(data.as_ptr()),
        };
        // SAFETY: allocated above.
        new.go_percpu(unsafe { data.as_ref() });
        Ok(new)
    }

    /// Takes `n` more references; the caller holds one. Relaxed.
    #[inline(always)]
    pub fn get_many(&self, n: usize) {
        if n > MOST || !self.add_here(n as isize) {
            self.get_slow(n);
        }
    }

    /// Takes `n` references unless there are none; `false` if so. Relaxed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    pub fn tryget_many(&self, n: usize) -> bool {
        (n <= MOST && self.add_here(n as isize)) || self.tryget_slow(n)
    }

    /// Takes a reference unless this was killed; `false` if so. Relaxed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    pub fn tryget_live(&self) -> bool {
        self.add_here(1) || self.tryget_live_slow()
    }

    /// Gives back `n` references, and releases if they were the last.
    ///
    /// Release; whoever puts last acquires before it releases.
    ///
    /// # Safety
    /// The caller owns `n` references, which are gone afterwards; it lies where its release function
    /// expects it.
    #[inline(always)]
    pub unsafe fn put_many(this: NonNull<Self>, n: usize) {
        // SAFETY: the caller's references keep it alive up to the addition, the last access.
        if n > MOST || !unsafe { this.as_ref() }.add_here(-(n as isize)) {
            // SAFETY: as promised.
            unsafe { Self::put_slow(this, n) };
        }
    }

    /// Adds to this CPU's counter, if that is how it counts now.
    #[inline(always)]
    fn add_here(&self, n: isize) -> bool {
        // SAFETY: `go_atomic` fences between setting `cpus` to zero and the end of the counters.
        unsafe { add(self, n) }
    }

    /// [`get_many`](Self::get_many) on the word.
    #[inline(always)]
    pub(crate) fn get_slow(&self, n: usize) {
        if let Err(kind) = self.get_on_word(n) {
            report(kind, self, false);
        }
    }

    /// [`get_many`](Self::get_many) on the word, the report being left to the caller.
    pub(crate) fn get_on_word(&self, n: usize) -> Result<(), Violation> {
        self.data().map_or(Err(Violation::GetOnZero), |data| data.word.get(n))
    }

    /// [`tryget_many`](Self::tryget_many) on the word.
    #[inline(always)]
    pub(crate) fn tryget_slow(&self, n: usize) -> bool {
        match self.data().map_or(Ok(false), |data| data.word.tryget(n)) {
            Ok(taken) => taken,
            Err(kind) => report(kind, self, true),
        }
    }

    /// [`tryget_live`](Self::tryget_live) on the word.
    #[inline(always)]
    pub(crate) fn tryget_live_slow(&self) -> bool {
        match self.data().map_or(Ok(false), |data| data.word.tryget_live(1)) {
            Ok(taken) => taken,
            Err(kind) => report(kind, self, true),
        }
    }

    /// [`put_many`](Self::put_many) on the word.
    ///
    /// # Safety
    /// As for [`put_many`](Self::put_many).
    #[inline(always)]
    pub(crate) unsafe fn put_slow(this: NonNull<Self>, n: usize) {
        // SAFETY: the caller's references keep it alive up to the subtraction, the last access.
        let percpu = unsafe { this.as_ref() };
        let Some(data) = percpu.data() else {
            report(Violation::PutOnZero, percpu, false);
            return;
        };
        let release = data.release;
        match data.word.put(n) {
            Put::Done => {}
            Put::Last => {
                tsan::acquire(this.as_ptr());
                // SAFETY: no reference is left, and `new` was given it for this.
                unsafe { release(this) }
            }
            Put::Failed(kind) => _ = report(kind, this.as_ptr(), false),
        }
    }

    /// Whether it was killed, or never began.
    pub fn is_dying(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_dead())
    }

    /// Whether no reference is left. Acquire, if so.
    pub fn is_zero(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_zero())
    }

    fn data(&self) -> Option<&Data> {
        // SAFETY: null, or `new`'s until `exit`, which is called when nobody else is here.
        unsafe { self.data.load(Relaxed).as_ref() }
    }
}

impl Drop for PercpuRef {
    fn drop(&mut self) {
        self.exit();
    }
}

impl Data {
    fn allocate(self) -> Option<NonNull<Self>> {
        // SAFETY: the size is a multiple of the alignment, a power of two.
        let memory = unsafe { libc::aligned_alloc(align_of::<Self>(), size_of::<Self>()) };
        let data = NonNull::new(memory.cast::<Self>())?;
        // SAFETY: new memory of that size and alignment.
        unsafe { data.write(self) };
        Some(data)
    }

    /// # Safety
    /// From `allocate`, and nobody uses it again.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: as promised; there is nothing in it to drop.
        unsafe { libc::free(this.as_ptr().cast()) };
    }

    fn allows_reinit(&self) -> bool {
        self.flags.load(Relaxed) & ALLOW_REINIT != 0
    }
}

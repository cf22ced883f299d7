//! `PercpuRef`: a reference count for the hottest objects, with a counter on each CPU.
//!
//! `word.rs` is the shared half of the count, `counters.rs` the CPUs' half, `mode.rs` changes between the
//! two, and `slot.rs` publishes a reference.
//!
//! While a reference is alive, a get or a put is a plain addition to a counter of the CPU that it runs
//! on, in a restartable sequence: no atomic operation, and no cache line that two CPUs share. The price:
//! nobody can tell when such a count is zero. So a new reference holds an initial reference.
//! [`kill`](PercpuRef::kill) ends the counting on CPUs, adds the counters up, and gives the initial
//! reference back. From then on the count is one atomic word, and the last put releases.
//!
//! ```text
//!  per CPU:   cpus > 0:  add n to counter[this CPU]           a sequence, see rseq/mod.rs
//!  atomic:    cpus = 0:  add n to the word                    also every thread without rseq
//!
//!  kill:      mark the word dead;  cpus = 0;  fence;  word += sum of counters;  confirm;  put
//! ```
//!
//! After the fence, each sequence that read `cpus` above zero has committed, and its addition is in the
//! sum. All other sequences read zero, and their threads add to the word. So the sum is exact at once. A
//! thread without rseq adds to the word in either mode and need not know the mode.
//!
//! A sequence needs one compare: the CPU's number against `cpus`. The compare fails for a CPU without a
//! counter, for an unregistered thread, whose CPU number is negative, and in atomic mode.

mod counters;
mod mode;
mod slot;
mod word;

use core::ptr::{self, NonNull};

use crate::kind::{Caller, Violation};
use crate::report::{or_report, report};
use crate::rseq::{Area, Head, add};
use crate::sys::sync::{AtomicIsize, AtomicPtr, AtomicU32, Ordering::Relaxed};
use crate::sys::tsan;

use counters::Counters;
pub use slot::PercpuRefSlot;
use word::{MOST, Put, Word};

/// Start counting atomically, until [`PercpuRef::switch_to_percpu`].
pub const INIT_ATOMIC: u32 = 1;
/// Start dead, with no reference, until [`PercpuRef::reinit`].
pub const INIT_DEAD: u32 = 2;
/// Keep the counters after a kill, for [`PercpuRef::resurrect`].
pub const ALLOW_REINIT: u32 = 4;

/// A release function for the object around a reference, or a function that confirms a kill.
pub type PercpuFn = unsafe extern "C" fn(percpu: NonNull<PercpuRef>);

/// A reference count whose get and put need no atomic operation: the kernel's and C's
/// `struct percpu_ref`. The program may move it until other threads know it.
#[repr(C)]
#[derive(Debug)]
pub struct PercpuRef {
    head: Head,
    /// What only the slow paths need. Null before `init` and after `exit`.
    data: AtomicPtr<Data>,
}

/// In a cache line of its own, because every get reads the head.
#[repr(C, align(64))]
struct Data {
    word: Word,
    release: PercpuFn,
    /// How many CPUs have a counter.
    cpus: u32,
    /// `INIT_ATOMIC` for as long as the reference shall count atomically, and `ALLOW_REINIT`. Changed
    /// under the lock.
    flags: AtomicU32,
}

/// Why a new reference was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// There is no memory.
    OutOfMemory,
    /// The flags have an unknown bit.
    UnknownFlag,
}

impl PercpuRef {
    /// A percpu reference that holds its initial reference. The last put calls `release`.
    ///
    /// # Safety
    /// `release` may be called once with the address that this reference has by then.
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
            head: Head {
                counters: AtomicPtr::new(counters),
                rseq: AtomicIsize::new(area.map_or(0, Area::keep)),
                cpus: AtomicU32::new(0),
            },
            data: AtomicPtr::new(data.as_ptr()),
        };
        // SAFETY: allocated above.
        new.go_percpu(unsafe { data.as_ref() });
        Ok(new)
    }

    /// Takes `n` more references; the caller holds one. Relaxed.
    #[inline(always)]
    #[track_caller]
    pub fn get_many(&self, n: usize) {
        self.get_many_from(n, Caller::here());
    }

    #[inline(always)]
    pub(crate) fn get_many_from(&self, n: usize, caller: Caller) {
        if n > MOST || !self.add_here(n as isize) {
            self.get_slow(n, caller);
        }
    }

    /// Takes `n` references unless there are none; `false` if so. Relaxed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    #[track_caller]
    pub fn tryget_many(&self, n: usize) -> bool {
        self.tryget_many_from(n, Caller::here())
    }

    #[inline(always)]
    pub(crate) fn tryget_many_from(&self, n: usize, caller: Caller) -> bool {
        (n <= MOST && self.add_here(n as isize)) || self.tryget_slow(n, caller)
    }

    /// Takes a reference unless this was killed; `false` if so. Relaxed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    #[track_caller]
    pub fn tryget_live(&self) -> bool {
        self.tryget_live_from(Caller::here())
    }

    #[inline(always)]
    pub(crate) fn tryget_live_from(&self, caller: Caller) -> bool {
        self.add_here(1) || self.tryget_live_slow(caller)
    }

    /// Gives back `n` references, and releases if they were the last.
    ///
    /// Release on the subtraction; the last put acquires before `release` runs.
    ///
    /// # Safety
    /// The caller owns `n` references, which are gone afterwards. The reference lies where its release
    /// function expects it.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn put_many(this: NonNull<Self>, n: usize) {
        // SAFETY: as promised.
        unsafe { Self::put_many_from(this, n, Caller::here()) };
    }

    /// # Safety
    /// As for [`put_many`](Self::put_many).
    #[inline(always)]
    pub(crate) unsafe fn put_many_from(this: NonNull<Self>, n: usize, caller: Caller) {
        // SAFETY: the caller's references keep the object alive up to the addition, the last access.
        if n > MOST || !unsafe { this.as_ref() }.add_here(-(n as isize)) {
            // SAFETY: as promised.
            unsafe { Self::put_slow(this, n, caller) };
        }
    }

    /// Adds to this CPU's counter; `false`, and nothing done, if the reference counts atomically.
    #[inline(always)]
    fn add_here(&self, n: isize) -> bool {
        // SAFETY: `go_atomic` fences after it sets `cpus` to zero, and before the counters end.
        unsafe { add(&self.head, n) }
    }

    /// [`get_many`](Self::get_many) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn get_slow(&self, n: usize, caller: Caller) {
        or_report(self.get_on_word(n), self, (), caller);
    }

    pub(crate) fn get_on_word(&self, n: usize) -> Result<(), Violation> {
        self.data().map_or(Err(Violation::GetOnZero), |data| data.word.get(n))
    }

    /// [`tryget_many`](Self::tryget_many) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn tryget_slow(&self, n: usize, caller: Caller) -> bool {
        let taken = self.data().map_or(Ok(false), |data| data.word.tryget(n));
        or_report(taken, self, true, caller)
    }

    /// [`tryget_live`](Self::tryget_live) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn tryget_live_slow(&self, caller: Caller) -> bool {
        let taken = self.data().map_or(Ok(false), |data| data.word.tryget_live(1));
        or_report(taken, self, true, caller)
    }

    /// [`put_many`](Self::put_many) on the word.
    ///
    /// # Safety
    /// As for [`put_many`](Self::put_many).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn put_slow(this: NonNull<Self>, n: usize, caller: Caller) {
        // SAFETY: the caller's references keep the object alive up to the subtraction, the last access.
        let percpu = unsafe { this.as_ref() };
        let Some(data) = percpu.data() else {
            return report(Violation::PutOnZero, this.as_ptr().cast(), caller);
        };
        let release = data.release;
        match data.word.put(n) {
            Ok(Put::Done) => {}
            Ok(Put::Last) => {
                tsan::acquire(this.as_ptr());
                // SAFETY: no reference is left, and `new` received `release` for this.
                unsafe { release(this) }
            }
            Err(kind) => report(kind, this.as_ptr().cast(), caller),
        }
    }

    /// Whether the reference was killed, or was never initialised.
    pub fn is_dying(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_dead())
    }

    /// Whether no reference is left. Acquire, if so.
    pub fn is_zero(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_zero())
    }

    fn data(&self) -> Option<&Data> {
        // SAFETY: null, or from `new`. `exit` frees it when no other thread uses the reference.
        unsafe { self.data.load(Relaxed).as_ref() }
    }
}

impl Drop for PercpuRef {
    fn drop(&mut self) {
        self.exit(Caller::UNKNOWN);
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
    /// `this` is from `allocate`, and nobody uses it again.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: as promised; no member needs a drop.
        unsafe { libc::free(this.as_ptr().cast()) };
    }

    fn allows_reinit(&self) -> bool {
        self.flags.load(Relaxed) & ALLOW_REINIT != 0
    }
}

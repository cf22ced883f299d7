//! `PercpuRef`: a reference count for the hottest objects, with a counter for each CPU.
//!
//! `counters.rs` has the counters of the CPUs, `word.rs` the atomic word. `mode.rs` changes between
//! percpu mode and atomic mode. `slot.rs` publishes a percpu reference. `tracked.rs` calls the tracker.
//!
//! In percpu mode a get or a put is a plain addition to the counter of the CPU on which the thread
//! runs, in a restartable sequence. It needs no atomic operation, and no two CPUs share a cache line.
//! The price: nobody can know whether the sum of the counters is zero. Therefore a new percpu reference
//! has an *initial reference*, which keeps the object alive. [`kill`](PercpuRef::kill) changes to
//! atomic mode, where the count is one atomic word, and gives the initial reference back. From then on
//! the last put releases the object.
//!
//! ```text
//!  percpu mode:  cpus > 0:  add n to counter[this CPU]          in a sequence, see rseq/mod.rs
//!  atomic mode:  cpus = 0:  add n to the word                   threads without rseq do this in both modes
//!
//!  kill:   mark the word dead;  cpus = 0;  fence;  word += sum of the counters;  call confirm;  put
//! ```
//!
//! After the fence, each sequence that has read `cpus > 0` has committed, so its addition is in the
//! sum. Every other sequence reads `cpus = 0`, and then its thread adds to the word. So the sum is
//! exact. A thread without rseq adds to the word in both modes, and need not know the mode.
//!
//! A sequence makes only one test: whether the CPU's number is less than `cpus`. The test fails in
//! atomic mode, on a CPU without a counter, and in a thread that is not registered, whose CPU number is
//! negative.

mod counters;
mod mode;
mod slot;
mod tracked;
mod word;

use core::ffi::c_char;
use core::ptr::{self, NonNull};

use crate::kind::{Caller, ViolationKind};
use crate::report::{or_report, report};
use crate::rseq::{Area, Head, add, sub};
use crate::sys::sync::{AtomicIsize, AtomicPtr, AtomicU32, Ordering::Relaxed};
use crate::sys::tsan;

use counters::Counters;
pub use slot::PercpuRefSlot;
use word::Word;

/// Start in atomic mode, until [`PercpuRef::switch_to_percpu`].
pub const INIT_ATOMIC: u32 = 1;
/// Start dead and without a reference, until [`PercpuRef::reinit`].
pub const INIT_DEAD: u32 = 2;
/// Keep the counters after a kill, so that [`PercpuRef::resurrect`] can use them again.
pub const ALLOW_REINIT: u32 = 4;

/// The most that one operation may add to a CPU's counter, or take from it; more goes to the word.
///
/// So the sequence need not test for an overflow: the sum of the counters finds it, unless the counter
/// has wrapped so far that it is a possible count again. At 127 in each operation that takes 2^57
/// operations on one CPU: two years, at half a nanosecond each. kref/percpu_inline.h has the same number, for
/// which x86-64 has a short compare instruction.
const MOST_HERE: usize = 127;

/// A release function, or a function that confirms a kill. It receives the percpu reference.
pub type PercpuFn = unsafe extern "C" fn(percpu: NonNull<PercpuRef>);

/// A reference count whose gets and puts need no atomic operation: the kernel's and C's
/// `struct percpu_ref`. The program may move it in memory as long as no other thread can reach it.
#[repr(C)]
#[derive(Debug)]
pub struct PercpuRef {
    head: Head,
    /// The members that only the slow paths use. Null before `new` and after `exit`.
    data: AtomicPtr<Data>,
}

/// The members that only the slow paths use.
#[repr(C)]
struct Data {
    word: Word,
    release: PercpuFn,
    /// The number of CPUs that have a counter.
    cpus: u32,
    /// `INIT_ATOMIC` as long as the program wants atomic mode, `ALLOW_REINIT`, and `TRACKED`. Changed under the
    /// lock.
    flags: AtomicU32,
    /// Pads the block, so that the `Word`s of two percpu references are never in one cache line. With malloc's
    /// own header of 8 bytes a block has 64 bytes, the size of a cache line. (aligned_alloc of glibc would take 192
    /// bytes for a block that begins at a cache line.)
    _apart: [u8; APART],
}

const APART: usize = 56 - 3 * size_of::<usize>();

/// The reason why there is no new percpu reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// There is no memory.
    OutOfMemory,
    /// The flags have an unknown bit.
    UnknownFlag,
}

impl PercpuRef {
    /// A percpu reference with its initial reference, which the caller holds. The last put calls
    /// `release`.
    ///
    /// # Safety
    /// `release` may be called with the address that this percpu reference has at the time of the last
    /// put.
    pub unsafe fn new(release: PercpuFn, flags: u32) -> Result<Self, InitError> {
        let new = Self::new_atomic(release, flags)?;
        new.data().inspect(|data| new.go_percpu(data));
        Ok(new)
    }

    /// [`new`](Self::new) in atomic mode, whatever the flags say.
    fn new_atomic(release: PercpuFn, flags: u32) -> Result<Self, InitError> {
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
            _apart: [0; APART],
        };
        let data = data.allocate().ok_or(InitError::OutOfMemory)?;
        let mut counters = ptr::null_mut();
        if let Some(area) = area {
            let Some(taken) = Counters::take(area.cpus()) else {
                // SAFETY: allocated above, and no other thread can reach it.
                unsafe { Data::free(data) };
                return Err(InitError::OutOfMemory);
            };
            counters = taken.first().as_ptr();
        }
        Ok(Self {
            head: Head {
                counters: AtomicPtr::new(counters),
                rseq: AtomicIsize::new(area.map_or(0, Area::keep)),
                cpus: AtomicU32::new(0),
            },
            data: AtomicPtr::new(data.as_ptr()),
        })
    }

    /// Takes `n` more references. The caller holds one already. Relaxed.
    #[inline(always)]
    #[track_caller]
    pub fn get_many(&self, n: usize) {
        self.get_many_from(n, Caller::here());
    }

    #[inline(always)]
    pub(crate) fn get_many_from(&self, n: usize, caller: Caller) {
        if n > MOST_HERE || !self.add_here(n as isize) {
            self.get_slow(n, caller);
        }
    }

    /// Takes `n` references unless no reference is left. `false` if none is left. Relaxed.
    #[inline(always)]
    #[must_use = "without the reference the object may be gone"]
    #[track_caller]
    pub fn tryget_many(&self, n: usize) -> bool {
        self.tryget_many_from(n, Caller::here())
    }

    #[inline(always)]
    pub(crate) fn tryget_many_from(&self, n: usize, caller: Caller) -> bool {
        (n <= MOST_HERE && self.add_here(n as isize)) || self.tryget_slow(n, caller)
    }

    /// Takes a reference unless the percpu reference was killed. `false` if it was. Relaxed.
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

    /// Gives back `n` references. If they were the last, calls the release function.
    ///
    /// The subtraction is a release. Before the release function runs there is an acquire.
    ///
    /// # Safety
    /// The caller holds `n` references and gives them up. The percpu reference is inside an object of
    /// the type that its release function expects.
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
        // SAFETY: the caller's references keep the object alive until the addition, which is the last
        // access.
        if n > MOST_HERE || !unsafe { this.as_ref() }.sub_here(n as isize) {
            // SAFETY: as promised.
            unsafe { Self::put_slow(this, n, caller) };
        }
    }

    /// Adds `n` to this CPU's counter. If the sequence cannot do that, changes nothing and returns
    /// `false`.
    #[inline(always)]
    fn add_here(&self, n: isize) -> bool {
        // SAFETY: `go_atomic` sets `cpus` to zero and then fences, before the counters are given back.
        unsafe { add(&self.head, n) }
    }

    /// Subtracts `n` from this CPU's counter, as [`add_here`](Self::add_here) adds.
    #[inline(always)]
    fn sub_here(&self, n: isize) -> bool {
        // SAFETY: as above.
        unsafe { sub(&self.head, n) }
    }

    /// [`get_many`](Self::get_many) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn get_slow(&self, n: usize, caller: Caller) {
        or_report(self.get_on_word(n), self, (), caller);
    }

    pub(crate) fn get_on_word(&self, n: usize) -> Result<(), ViolationKind> {
        if let Some(data) = self.get_untold(n)? {
            self.tell_got(data, n);
        }
        Ok(())
    }

    /// [`tryget_many`](Self::tryget_many) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn tryget_slow(&self, n: usize, caller: Caller) -> bool {
        let take = |data| self.take(data, n, |word| word.tryget(n));
        or_report(self.data().map_or(Ok(false), take), self, true, caller)
    }

    /// [`tryget_live`](Self::tryget_live) on the word.
    #[cold]
    #[inline(never)]
    pub(crate) fn tryget_live_slow(&self, caller: Caller) -> bool {
        let take = |data| self.take(data, 1, |word| word.tryget_live(1));
        or_report(self.data().map_or(Ok(false), take), self, true, caller)
    }

    /// [`put_many`](Self::put_many) on the word.
    ///
    /// # Safety
    /// As for [`put_many`](Self::put_many).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn put_slow(this: NonNull<Self>, n: usize, caller: Caller) {
        // SAFETY: as promised.
        unsafe { Self::give_back(this, n, ptr::null(), caller) };
    }

    /// [`put_slow`](Self::put_slow) with the holder's name for the tracker, or null.
    ///
    /// # Safety
    /// As for [`put_many`](Self::put_many).
    unsafe fn give_back(this: NonNull<Self>, n: usize, holder: *const c_char, caller: Caller) {
        // SAFETY: the caller's references keep the object alive until the subtraction, which is the
        // last access.
        let percpu = unsafe { this.as_ref() };
        let Some(data) = percpu.data() else {
            return report(ViolationKind::PutOnZero, this.as_ptr().cast(), caller);
        };
        let release = data.release;
        let tracked = percpu.tell_putting(data, n, holder);
        match data.word.put(n) {
            Ok(false) => {}
            Ok(true) => {
                tsan::acquire(this.as_ptr());
                if tracked {
                    tracked::tell_released(this, release, holder);
                }
                // SAFETY: no reference is left, and the caller of `new` promised that `release` may be
                // called.
                unsafe { release(this) }
            }
            Err(kind) => return report(kind, this.as_ptr().cast(), caller),
        }
        if tracked {
            tracked::tell_done(this);
        }
    }

    /// Whether the percpu reference was killed, has ended, or was never initialised.
    pub fn is_dying(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_dead())
    }

    /// Whether no reference is left. Acquire, if so.
    pub fn is_zero(&self) -> bool {
        self.data().is_none_or(|data| data.word.is_zero())
    }

    fn data(&self) -> Option<&Data> {
        // SAFETY: null, or from `new`. Only `exit` frees it, when no other thread uses the percpu
        // reference.
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
        // SAFETY: the size is not zero.
        let memory = unsafe { libc::malloc(size_of::<Self>()) };
        let data = NonNull::new(memory.cast::<Self>())?;
        // SAFETY: new memory of that size. malloc aligns it for every member.
        unsafe { data.write(self) };
        Some(data)
    }

    /// # Safety
    /// `this` came from `allocate`, and nobody uses it again.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: as promised; no member needs a drop.
        unsafe { libc::free(this.as_ptr().cast()) };
    }

    fn allows_reinit(&self) -> bool {
        self.flags.load(Relaxed) & ALLOW_REINIT != 0
    }
}

#[cfg(all(loom, test))]
mod models;
#[cfg(all(loom, test))]
mod slot_models;

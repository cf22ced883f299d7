//! Restartable sequences: a few instructions that take effect together, or not at all.
//!
//! `slot/`, `percpu/` and `pool/` use this folder. `x86_64.rs`, `aarch64.rs` and `riscv64.rs` have the sequences of
//! these processors, for Linux with glibc, and on x86-64 with musl. `glibc.rs` finds the threads' rseq areas, with
//! musl `own.rs` registers them; `area.rs` is for both, and has the fence.
//! `simulated.rs` is for loom models, `nowhere.rs` for every other system. The headers of include/kref/rseq
//! have the percpu sequences a second time, so that a C compiler can inline them.
//!
//! # What the kernel guarantees
//!
//! Every thread has an rseq area, which is registered with the kernel: by glibc, or with musl by libkref. A thread
//! enters a sequence by storing the address of the sequence's descriptor in the area. If the kernel preempts a thread inside
//! a sequence, moves it to another CPU or delivers a signal to it, the kernel clears this pointer and
//! continues the thread at the sequence's abort handler. Only the last instruction of a sequence, the
//! *commit*, writes memory that other threads can see. So if a sequence commits, nothing else has run
//! on this CPU since the sequence began, and no signal handler has run in this thread.
//!
//! [`fence`] is the system call `membarrier(PRIVATE_EXPEDITED_RSEQ)`. It aborts the sequences of all
//! threads of the process that are running, and orders their memory accesses. A thread that is not
//! running was preempted, so its sequence is aborted too. After a fence, each sequence that began
//! before it has either committed, and the commit is visible; or it starts over, and reads what was
//! written before the fence.
//!
//! # What a sequence may do
//!
//! A sequence reads memory, computes in registers, and commits with its last instruction. Before the
//! commit it makes no call, does not use the stack, and makes no store, except for a push on a [`CpuCache`]: the
//! push stores the number behind those that the cache has, where nobody reads. A sequence first tests the CPU
//! number in the area. A thread that is not registered has a negative number there, and the kernel would not
//! restart its sequences. At each exit the sequence clears the area's pointer to the descriptor, for
//! this reason: the descriptor is in this library. If the library were unloaded and a thread still had
//! the pointer, the kernel would kill the thread at its next preemption.
//!
//! # The memory of one CPU
//!
//! Only the sequences of its CPU access a [`CpuCache`]. So they need neither acquire nor release, on any
//! processor: what a thread did before its push, and what another thread does after its pop, is executed on one
//! CPU, one after the other. If a thread comes from another CPU or goes to another one, the kernel's scheduler has a
//! full barrier in between. The compiler moves no access to memory across the assembly.
//!
//! # Events that a sequence must survive
//!
//! * A signal: the sequence starts over after the handler. The handler may use sequences too.
//! * A fork: the child's only thread stays registered, with rseq and with membarrier. It was in no
//!   sequence, because fork is a call.
//! * A page fault. The thread may wait in the kernel, while another thread fences, and gives the memory back that the
//!   sequence was about to access. When the kernel has served the fault, it restarts the sequence. But if the page is
//!   no longer mapped, the kernel kills the process: the signal comes first. So libkref never unmaps what a sequence
//!   accesses, and include/kref/slot.h asks the same of the program.
//! * A debugger that steps: each step restarts the sequence. So a sequence gives up after some
//!   restarts, and its caller does the same as on a thread without rseq.
//! * A thread that is not registered: under valgrind or qemu-user, or after it has unregistered itself.
//!   Then the sequence gives up.
//! * A kernel that does not restart sequences, or whose membarrier lacks a barrier: kernel.rs.
//! * A process without rseq: an older glibc, musl beside librseq, `GLIBC_TUNABLES=glibc.pthread.rseq=0`, or a seccomp
//!   filter from the start. Then [`Area::known`] is `None`.
//! * A process in which every object is tracked: load.rs calls `Area::forgo`. Each get calls the tracker, so a sequence
//!   would not make it faster. And without sequences a replace needs no fence.
//! * A seccomp filter that is installed later and refuses membarrier. Then [`fence`] returns `false`,
//!   and its caller must not free an object that a sequence may still access.
//!
//! A sequence does not survive a thread that vfork() or clone() made without the C library, if its
//! thread-local storage is the parent's or is zero-filled. The thread's area looks registered, but the kernel
//! does not restart its sequences. A sequence cannot detect this: the area has no thread id, and the thread
//! pointer is the parent's or arbitrary. [`rseq_available`] asks the kernel, by a system call.
//!
//! The first call of `Area::decided` or of `Area::forgo` decides whether the process uses sequences. `Area::decided` is
//! called in a replace of a slot, in `PercpuRef::new`, in the first allocation of a pool and in `rseq_available`. The
//! decision is final. Before the decision no thread uses a sequence. So if the decision is against sequences, no thread
//! has ever used one, and a replace needs no fence.
//!
//! Defined by the kernel's include/uapi/linux/rseq.h, membarrier(2), and glibc's `<sys/rseq.h>`.

use crate::sys::sync::{AtomicIsize, AtomicPtr, AtomicU32};

// build.rs chooses: `simulated` for loom models, a processor where its sequences can run, else `nowhere`.
#[cfg(kref_sequences = "aarch64")]
#[path = "aarch64.rs"]
mod sequences;
#[cfg(kref_sequences = "nowhere")]
#[path = "nowhere.rs"]
mod sequences;
#[cfg(kref_sequences = "riscv64")]
#[path = "riscv64.rs"]
mod sequences;
#[cfg(kref_sequences = "simulated")]
#[path = "simulated.rs"]
mod sequences;
#[cfg(kref_sequences = "x86_64")]
#[path = "x86_64.rs"]
mod sequences;

#[cfg(not(any(kref_sequences = "nowhere", kref_sequences = "simulated")))]
mod area;
#[cfg(not(any(kref_sequences = "nowhere", kref_sequences = "simulated")))]
#[cfg_attr(target_env = "musl", path = "own.rs")]
#[cfg_attr(not(target_env = "musl"), path = "glibc.rs")]
mod registrant;
#[cfg(any(kref_sequences = "aarch64", kref_sequences = "riscv64", all(test, not(loom))))]
#[cfg_attr(
    not(any(kref_sequences = "aarch64", kref_sequences = "riscv64")),
    allow(dead_code, reason = "its tests run on every processor")
)]
mod kernel;

#[cfg(not(any(kref_sequences = "nowhere", kref_sequences = "simulated")))]
pub(crate) use area::{Area, fence};
#[cfg(kref_sequences = "simulated")]
pub(crate) use sequences::running_on;
#[cfg(any(kref_sequences = "nowhere", kref_sequences = "simulated"))]
pub(crate) use sequences::{Area, fence};
pub(crate) use sequences::{add, sub};
#[cfg(all(loom, test))]
pub(crate) use sequences::{on_a_machine, refuse_to_fence, run_on};

/// The first members of a percpu reference: those that a sequence reads.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Head {
    /// The counter of CPU 0. Null if there are no counters.
    pub(crate) counters: AtomicPtr<AtomicIsize>,
    /// The offset of a thread's rseq area from its thread pointer. Zero if there are no counters.
    pub(crate) rseq: AtomicIsize,
    /// The number of CPUs that may use their counter now. Zero in atomic mode.
    pub(crate) cpus: AtomicU32,
}

/// The binary logarithm of the distance between the counters of two CPUs. kref/percpu_inline.h has the same
/// number.
pub(crate) const CPU_SHIFT: usize = 9;

/// The numbers that a CPU has at hand, as a stack. Only the sequences of its CPU access it: see the first page.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CpuCache {
    /// How many numbers there are. The numbers stand behind it, from the first to the last that was pushed.
    count: AtomicU32,
    numbers: [AtomicU32; CACHED],
}

/// The most numbers in a [`CpuCache`].
#[cfg(not(kref_sequences = "simulated"))]
pub(crate) const CACHED: usize = 63;
/// A loom model has few steps.
#[cfg(kref_sequences = "simulated")]
pub(crate) const CACHED: usize = 3;

#[cfg(kref_sequences = "simulated")]
impl CpuCache {
    /// An empty cache. Elsewhere memory that is filled with zeros is one.
    pub(crate) fn new() -> Self {
        Self { count: AtomicU32::new(0), numbers: core::array::from_fn(|_| AtomicU32::new(0)) }
    }
}

/// The result of a sequence on a [`CpuCache`].
#[cfg_attr(kref_sequences = "nowhere", allow(dead_code, reason = "no sequence runs there"))]
pub(crate) enum Cached<T> {
    Done(T),
    /// The cache is full, or empty.
    Not,
    /// The sequence gave up, and has changed nothing.
    GaveUp,
}

#[cfg(not(kref_sequences = "nowhere"))]
impl Cached<u32> {
    /// The result of a pop that returned this: 0 if the cache is empty, or [`GAVE_UP`], or the number.
    #[inline(always)]
    fn popped(number: u32) -> Self {
        match number {
            0 => Self::Not,
            1 => Self::GaveUp,
            number => Self::Done(number),
        }
    }
}

#[cfg(not(kref_sequences = "nowhere"))]
impl Cached<()> {
    /// The result of a push that has found room for so many numbers: 0 if it gave up.
    #[inline(always)]
    fn pushed(count: u32) -> Self {
        match count as usize {
            0 => Self::GaveUp,
            1..=CACHED => Self::Done(()),
            _ => Self::Not,
        }
    }
}

/// The number of restarts after which a sequence that takes a reference gives up.
#[cfg(not(any(kref_sequences = "nowhere", kref_sequences = "simulated")))]
const RESTARTS: u32 = 64;

/// The result of a sequence that takes a reference on a published object. A pointer with a special
/// value, and not an enum, so that the hot path makes one test less.
pub(crate) struct Taken<T> {
    /// The object whose count was incremented; null if nothing is published; or [`GAVE_UP`].
    pub(crate) object: *mut T,
    /// Whether the incremented count was not alive, or was full.
    pub(crate) not_alive: bool,
}

/// The pointer's value after a sequence that gave up, and that has changed nothing.
pub(crate) const GAVE_UP: usize = 1;

/// Whether the calling thread has restartable sequences. If so, its gets from slots take no lock. Makes a
/// system call.
pub fn rseq_available() -> bool {
    Area::decided().is_some_and(Area::is_registered)
}

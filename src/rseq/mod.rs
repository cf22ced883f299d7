//! Restartable sequences: a few instructions that happen as one, or not at all.
//!
//! `slot.rs` and `percpu/` use this folder. `x86_64.rs` has the sequences, for x86-64 Linux with glibc;
//! `nowhere.rs` is for every other system, and for models. kref/percpu.h has the same sequences once
//! more, for the compiler to inline.
//!
//! # What the kernel guarantees
//!
//! Every thread has an rseq area, which glibc registers with the kernel. If the area points to a
//! sequence's descriptor, and the instruction pointer is within the sequence, the thread is in the
//! sequence. If the kernel then preempts the thread, moves it to another CPU or delivers a signal to
//! it, the kernel clears the pointer and continues the thread at the sequence's abort handler. So what a
//! sequence has read is still true when its last instruction takes effect. The last instruction is the
//! commit, and the only one that other threads can see: nothing else ran on this CPU in between.
//!
//! `membarrier(PRIVATE_EXPEDITED_RSEQ)`, here [`fence`], does the same to every running thread of the
//! process, and orders their memory accesses. A thread that does not run was preempted. So after a
//! fence each sequence that had read the old state has committed, and the commit is visible; or it
//! starts over.
//!
//! # What a sequence may do
//!
//! A sequence reads, computes in registers, and commits with its last instruction. Before the commit it
//! makes no store, no call, and uses no stack. It first tests the CPU's number in the area: the area of
//! an unregistered thread has a negative number, and nothing would restart such a thread. Every way out
//! clears the area's pointer to the descriptor, because the descriptor lies in this module. If the
//! module were unloaded, a thread that kept the pointer would die at its next preemption.
//!
//! # Events that a sequence must survive
//!
//! * A signal: the sequence starts over after the handler. The handler may use sequences itself.
//! * fork: the child's only thread stays registered, with rseq and with membarrier. It was in no
//!   sequence, because fork is a call. (A child of vfork, or of a clone that shares the parent's
//!   thread-local storage, looks registered and is not. It may call nothing here.)
//! * A debugger's single steps restart a sequence at each step. So a sequence gives up after some
//!   restarts, and its caller does what a thread without rseq does.
//! * A thread that is not registered (under valgrind or qemu-user, or after it has unregistered
//!   itself), or a process without rseq (`GLIBC_TUNABLES=glibc.pthread.rseq=0`, musl, an older glibc, a
//!   seccomp filter from the start): [`Area::known`] is `None`, or the sequence gives up.
//! * A membarrier that is refused later, by a seccomp filter of the process: [`fence`] returns `false`,
//!   and its caller must not free what a sequence may still touch.
//!
//! The first writer decides whether the process has sequences, before it writes. The decision is final.
//! So a writer that finds no sequences knows that no reader has ever used one.
//!
//! Defined by the kernel's include/uapi/linux/rseq.h, membarrier(2), and glibc's `<sys/rseq.h>`.

#[cfg(not(loom))]
use core::mem::offset_of;

use crate::sys::sync::{AtomicIsize, AtomicPtr, AtomicU32};

#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_os = "linux",
    target_env = "gnu",
    not(loom)
))]
mod x86_64;
#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_os = "linux",
    target_env = "gnu",
    not(loom)
))]
use x86_64 as sequences;

#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_os = "linux",
    target_env = "gnu",
    not(loom)
)))]
mod nowhere;
#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_os = "linux",
    target_env = "gnu",
    not(loom)
)))]
use nowhere as sequences;

pub(crate) use sequences::{Area, add, fence};

/// What a sequence reads of a percpu reference. A percpu reference begins with it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Head {
    /// The counter of CPU 0. Null without counters.
    pub(crate) counters: AtomicPtr<AtomicIsize>,
    /// The offset of a thread's rseq area from its thread pointer. Zero without counters.
    pub(crate) rseq: AtomicIsize,
    /// How many CPUs have a counter that may be used now. Zero in atomic mode.
    pub(crate) cpus: AtomicU32,
}

#[cfg(not(loom))]
impl Head {
    pub(crate) const COUNTERS: usize = offset_of!(Self, counters);
    pub(crate) const RSEQ: usize = offset_of!(Self, rseq);
    pub(crate) const CPUS: usize = offset_of!(Self, cpus);
}

/// The binary logarithm of the distance between two CPUs' counters. kref/percpu.h shifts by the same
/// number.
pub(crate) const CPU_SHIFT: usize = 9;

/// What came of a sequence that takes a reference on a published object. A plain pointer with a sentinel,
/// and not an enum: the hot path tests the pointer once.
pub(crate) struct Taken<T> {
    /// The object whose count the sequence has raised; null if nothing is published; or [`GAVE_UP`].
    pub(crate) object: *mut T,
    /// Whether the raised count was not alive, or was full.
    pub(crate) not_alive: bool,
}

/// The address that stands for a sequence that gave up and has done nothing.
pub(crate) const GAVE_UP: usize = 1;

/// Whether the calling thread has restartable sequences: whether its lookups in slots take no lock.
pub fn rseq_available() -> bool {
    Area::decided().is_some_and(Area::is_registered)
}

//! Restartable sequences: a few instructions that happen as one, or not at all.
//!
//! # What the kernel guarantees
//!
//! A thread whose rseq area (one for each thread, registered by glibc) points to a descriptor is in
//! that descriptor's sequence while its instruction pointer is within it. If the kernel preempts the
//! thread there, moves it to another CPU or delivers a signal to it, it clears the pointer and
//! continues at the abort handler. So what a sequence has read is still so when its last
//! instruction, the only one that others can see, takes effect: nothing ran on this CPU in between.
//!
//! `membarrier(PRIVATE_EXPEDITED_RSEQ)`, here [`fence`], does the same to every thread of the process
//! that is running: those in a sequence start over, and all memory accesses from before are done and
//! seen. Threads that are not running will be found preempted. So after a fence no sequence is under
//! way that has read what was there before it: each has committed, and shows, or starts over.
//!
//! # What a sequence may do
//!
//! Read, compute in registers, and commit with its last instruction; before that no store, no call
//! and no stack. It begins by testing the CPU's number in the area: the area of a thread that is not
//! registered exists as well, with a negative number, and there nothing would be restarted. Every way
//! out clears the pointer to the descriptor, which lies in this module: a thread that outlives the
//! module in memory (`dlclose`) must not keep it, or its next preemption would be its last.
//!
//! # What else may come
//!
//! * Signals: the sequence starts over after the handler, which may use sequences itself.
//! * fork: the child's only thread stays registered, and so does the process with membarrier. It
//!   cannot have been in a sequence: fork is a call. (A child of vfork, or of a clone that shares its
//!   parent's thread-local storage, looks registered and is not: it may call nothing here.)
//! * A debugger that steps through a sequence restarts it at each step. Nothing here restarts for
//!   ever: a sequence gives up, and its caller goes the way of threads that have no rseq.
//! * A thread that is not registered (under valgrind or qemu-user, after unregistering itself), or a
//!   process that is not (`GLIBC_TUNABLES=glibc.pthread.rseq=0`, musl, an older glibc, a seccomp
//!   filter from the start): [`Area::known`] is `None`, or the sequence gives up.
//! * membarrier refused later, by a filter that the process has put on itself: [`fence`] is `false`,
//!   and who needed it must not free what a sequence may still be about to touch.
//!
//! Whether the process has sequences is decided once and never again, by the first writer, before it
//! writes. A writer that found none to fence knows therefore that no reader ever had any.
//!
//! Defined by the kernel's include/uapi/linux/rseq.h, membarrier(2), and glibc's `<sys/rseq.h>`.
//! rseq/sequences.rs has them, and no other file; rseq/nowhere.rs is for everybody else.

use core::ptr::NonNull;

#[cfg_attr(
    not(all(
        target_arch = "x86_64",
        target_pointer_width = "64",
        target_os = "linux",
        target_env = "gnu",
        not(loom)
    )),
    path = "rseq/nowhere.rs"
)]
mod sequences;

pub(crate) use sequences::{Area, add, fence};

/// What came of a sequence that takes a reference on what a pointer publishes.
#[allow(dead_code, reason = "nobody takes so where nobody has an area")]
pub(crate) enum Taken<T> {
    /// It has raised this count, having found that value there.
    Raised(NonNull<T>, i32),
    /// Nothing is published.
    Nothing,
    /// It gave up, and did nothing.
    GaveUp,
}

/// Whether the calling thread has restartable sequences: whether its lookups in slots take no lock.
pub fn rseq_available() -> bool {
    Area::decided().is_some_and(Area::is_registered)
}

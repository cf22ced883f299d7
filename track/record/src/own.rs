//! What the recorder has in each thread's TLS.
//!
//! The initial-exec model: the variable is in static TLS from the start. The TLS of a library that was loaded later
//! is otherwise allocated at its first use, by the malloc that a signal handler may have interrupted.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

use crate::processor;
use crate::thread::State;

/// A thread's variable. Zeros: a thread that was never here.
#[repr(C)]
pub struct Own {
    /// The thread's part of the memory of states. Null: there is none, because too many threads have one.
    pub state: AtomicPtr<State>,
    /// The process for which the other members were set. In a fork's child the memory is a copy, and the process
    /// is another.
    pub process: AtomicU32,
    /// The thread's number in the session.
    pub number: AtomicU32,
    /// The index of the thread's ring.
    pub ring: AtomicU32,
    /// For `sample=1/N`: how many more objects this thread creates untracked before it creates a tracked one.
    pub countdown: AtomicU32,
    /// While this thread forks: the fork's number.
    pub fork: AtomicU64,
}

core::arch::global_asm!(
    ".pushsection .tbss.kref_track_own,\"awT\",@nobits",
    ".balign 8",
    ".globl kref_track_own", // not local: the code that uses it may be in another object file
    ".hidden kref_track_own",
    ".type kref_track_own, @object",
    ".size kref_track_own, {size}",
    "kref_track_own:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Own>(),
);

/// This thread's variable.
#[inline(always)]
pub fn own() -> &'static Own {
    let place = processor::thread_pointer().wrapping_add(processor::own_offset());
    // SAFETY: the variable is alive while the thread runs, and nobody else has its address. All members are
    // atomics, and may be zero.
    unsafe { &*(place as *const Own) }
}

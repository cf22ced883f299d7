//! A thread local of the initial-exec model: in static TLS from the start. Rust's own in a library
//! that was loaded later is allocated at its first use, by the malloc that may be interrupted.

use crate::processor;
use crate::thread::State;

std::arch::global_asm!(
    ".pushsection .tbss.kref_track_state,\"awT\",@nobits",
    ".balign 8",
    ".globl kref_track_state", // not local: the code that uses it may be in another object file
    ".hidden kref_track_state",
    ".type kref_track_state, @object",
    ".size kref_track_state, 8",
    "kref_track_state:",
    ".zero 8",
    ".popsection",
);

/// Where this thread's variable is.
fn place() -> *mut *mut State {
    processor::thread_pointer().wrapping_add(processor::state_offset()) as *mut *mut State
}

pub fn get() -> *mut State {
    // SAFETY: reads this thread's variable. Volatile: a signal handler may write the variable at any time.
    unsafe { place().read_volatile() }
}

pub fn set(state: *mut State) {
    // SAFETY: writes this thread's variable.
    unsafe { place().write_volatile(state) };
}

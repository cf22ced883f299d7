//! A thread local of the initial-exec model: in static TLS from the start. Rust's own in a library
//! that was loaded later is allocated at its first use, by the malloc that may be interrupted.

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

pub fn get() -> *mut State {
    let state;
    // SAFETY: reads this thread's variable.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr [rip + kref_track_state@GOTTPOFF]",
            "mov {0}, qword ptr fs:[{0}]",
            out(reg) state, options(nostack, readonly, preserves_flags),
        );
    }
    state
}

pub fn set(state: *mut State) {
    // SAFETY: writes this thread's variable.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr [rip + kref_track_state@GOTTPOFF]",
            "mov qword ptr fs:[{0}], {1}",
            out(reg) _, in(reg) state, options(nostack, preserves_flags),
        );
    }
}

/// The end of the stack that the C library gave this thread: its descriptor lies there.
pub fn descriptor() -> u64 {
    let address;
    // SAFETY: the descriptor's first word is its own address.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr fs:[0]",
            out(reg) address, options(nostack, readonly, preserves_flags),
        );
    }
    address
}

//! libkref's recorder: it writes each kref_init(), get and put of the program into memory that it shares with
//! kref-track.
//!
//! libkref loads this library when `KREF_OPTIONS=track=1` asks for it, and calls [`kref_track_start`]. The result is
//! a table of functions. What a record says is in the crate `wire`; who reads it is kref-track, the judge.
//!
//! All of this happens inside somebody else's program: in its signal handlers, on its small stacks, between its fork
//! and its exec. So after the start the recorder allocates nothing, takes no lock, has no open descriptor, makes no
//! system call in the steady state, and needs at most 8 KiB of stack.
//!
//! | file | what it does |
//! |---|---|
//! | [`start`], [`session`] | opens the memory, starts a judge if there is none |
//! | [`filtered`] | whether a seccomp filter may forbid calls at the start |
//! | [`seam`], [`entry`] | the functions of the table |
//! | [`event`], [`write`], [`wait`] | an event becomes a record in a ring, which may be full |
//! | [`thread`], [`thread_end`], [`own`], [`process`] | what each thread and each process has of its own |
//! | [`walk`], [`walks`], [`stack`] | the walk up the stack, and what each thread remembers of it |
//! | [`rules`], [`cfi`], [`module`] | how a frame is unwound |
//! | [`ask`], [`crash`], [`fork`] | requests that wait for the judge's answer; fatal signals; fork() |
//! | [`last_words`] | what the recorder says when the judge is gone |
//! | [`chaos`] | delays around gets and puts |
//! | [`freed`], [`marks`], [`kept`] | free() of memory that has counts in it; what is kept for a while |
//! | [`environment`] | a program that this one starts has nothing preloaded |

#![cfg_attr(not(test), no_std)]

mod ask;
mod cfi;
mod chaos;
mod clock;
mod crash;
mod entry;
#[cfg(not(test))]
mod environment;
mod event;
mod filtered;
mod fork;
#[cfg(not(test))]
mod freed;
#[cfg(not(test))]
mod kept;
mod last_words;
#[cfg_attr(test, allow(dead_code, reason = "freed.rs and kept.rs are not there"))]
mod marks;
#[cfg(not(test))]
mod mem;
mod module;
mod own;
#[cfg_attr(target_arch = "x86_64", path = "processor/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "processor/aarch64.rs")]
mod processor;
mod process;
mod rules;
mod seam;
mod session;
mod stack;
mod start;
mod thread;
mod thread_end;
mod wait;
mod walk;
mod walks;
mod write;

use core::ffi::c_char;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

static STARTED: AtomicBool = AtomicBool::new(false);

/// Runs when the process exits: after the program's own destructors, because this library was loaded after the
/// program.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

#[unsafe(naked)]
extern "C" fn at_exit() {
    processor::enter!(on_exit, 0)
}

extern "C" fn on_exit(frame: &seam::Frame) {
    if STARTED.swap(false, Relaxed) {
        ask::at_exit(frame);
    }
}

/// Starts the recorder. `options` is the value of KREF_OPTIONS. Null: nothing is tracked.
///
/// # Safety
/// `options` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_track_start(options: *const c_char) -> *const seam::Table {
    static TABLE: seam::Held = seam::Held::new();
    // SAFETY: the caller's promise.
    if !STARTED.load(Relaxed) && !unsafe { start::start(options) } {
        return core::ptr::null();
    }
    STARTED.store(true, Relaxed);
    TABLE.hold(entry::table())
}

/// No function of this library panics: a test looks for this one in what the linker has kept.
#[cfg(not(test))]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: always.
    unsafe { libc::abort() }
}

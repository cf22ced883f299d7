//! libkref's tracker: it is told of each kref_init(), get and put, and names who forgot one.
//!
//! libkref loads this library when `KREF_OPTIONS=track=1` asks for it, and calls [`kref_track_start`].
//! What comes back is a table of functions ([`seam`], [`entry`]). An event ([`event`]) is a walk up the
//! stack ([`unwind`]), which becomes a number ([`stacks`]), and a change of the table of objects
//! ([`mod@table`], [`object`]); which get a put undoes is [`matching`]'s. What is wrong at once is
//! [`misuse`]; what is left at the end is gathered by [`leaks`] and written by [`text`], [`json`],
//! [`tree`] and [`flame`].
//!
//! All of this happens inside somebody else's program: in its signal handlers, between its fork and its
//! exec, with its malloc in an unknown state. [`thread`], [`lock`], [`memory`] and [`slow`] are what
//! makes that possible.

mod chaos;
mod chronicle;
mod clock;
mod entry;
mod event;
mod filter;
mod flame;
mod fork;
mod freed;
mod json;
mod known;
mod leaks;
mod lock;
mod matching;
mod mem;
mod memory;
mod misuse;
mod modules;
mod object;
mod options;
mod output;
mod pointer;
#[cfg_attr(target_arch = "x86_64", path = "processor/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "processor/aarch64.rs")]
mod processor;
mod queue;
mod report;
mod seam;
mod signal;
mod slow;
mod stacks;
mod stale;
mod symbols;
mod table;
mod text;
mod thread;
mod tree;
mod unwind;

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use options::Options;

static TABLE: OnceLock<seam::Table> = OnceLock::new();
static STARTED: AtomicBool = AtomicBool::new(false);

/// Runs when the process exits: after the program's own destructors, since it was loaded after it.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = finish;

/// Starts tracking. `options` is the rest of KREF_OPTIONS. Null: it has said on standard error why not.
///
/// # Safety
/// `options` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_track_start(options: *const c_char) -> *const seam::Table {
    let text = if options.is_null() {
        String::new()
    } else {
        // SAFETY: the caller's promise.
        unsafe { CStr::from_ptr(options) }.to_string_lossy().into_owned()
    };
    let options = match Options::parse(&text) {
        Ok(options) => options,
        Err(mistake) => {
            output::say(&format!("KREF_OPTIONS: {mistake}; nothing is tracked"));
            return std::ptr::null();
        }
    };
    TABLE.get_or_init(|| start(options))
}

fn start(options: Options) -> seam::Table {
    let limit = options.max_memory;
    options::set(options);
    thread::set_up();
    unwind::set_up();
    fork::set_up();
    memory::set_limit(limit);
    signal::set_up();
    freed::set_up();
    if let Some(path) = &options::options().started {
        let _ = std::fs::write(path, "started\n");
    }
    STARTED.store(true, Relaxed);
    entry::table()
}

extern "C" fn finish() {
    if STARTED.swap(false, Relaxed) {
        report::at_exit();
    }
}

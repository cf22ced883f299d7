//! `KREF_OPTIONS`, written as the sanitizers' options are: `key=value:key=value`.
//!
//! Read once, when the library is loaded, so that a mistake in it is told at once and not at the
//! first violation; and with `secure_getenv`, so that a setuid program does not listen to it.
//!
//! Where a tracker is asked for, with `track=1`, what is not ours is its.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::line::Line;

/// What the default handler does about a violation.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnViolation {
    Warn = 1,
    Abort = 2,
    Quiet = 3,
}

const VARIABLE: &CStr = c"KREF_OPTIONS";
const UNREAD: u8 = 0;

/// Relaxed: the byte is all there is to know.
static ON_VIOLATION: AtomicU8 = AtomicU8::new(UNREAD);

/// Runs `at_load` when the library is loaded, or the program that it is linked into starts.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    read();
    // A model loads nothing.
    #[cfg(not(loom))]
    if let Some(options) = variable()
        && Options(options.to_bytes()).track()
    {
        crate::load::track(options);
    }
}

pub(crate) fn on_violation() -> OnViolation {
    read(); // another module's constructor may have been here before ours
    match ON_VIOLATION.load(Relaxed) {
        mode if mode == OnViolation::Abort as u8 => OnViolation::Abort,
        mode if mode == OnViolation::Quiet as u8 => OnViolation::Quiet,
        _ => OnViolation::Warn,
    }
}

/// Once, and not again.
fn read() {
    let first = OnViolation::Warn as u8;
    if ON_VIOLATION.load(Relaxed) != UNREAD
        || ON_VIOLATION.compare_exchange(UNREAD, first, Relaxed, Relaxed).is_err()
    {
        return;
    }
    let Some(value) = variable() else { return };
    let options = Options(value.to_bytes());
    let is_tracked = options.track();
    for (key, value) in options {
        apply(key, value, is_tracked);
    }
}

fn variable() -> Option<&'static CStr> {
    unsafe extern "C" {
        fn secure_getenv(name: *const c_char) -> *const c_char;
    }
    // SAFETY: `VARIABLE` is a C string.
    let value = unsafe { secure_getenv(VARIABLE.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: the environment's value is a C string, and nobody changes it while we are here.
    Some(unsafe { CStr::from_ptr(value) })
}

/// `key=value:key=value`, one after another without those that are empty.
#[derive(Clone, Copy)]
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let (option, rest) = halves(self.0, b':');
            self.0 = rest;
            if !option.is_empty() {
                return Some(halves(option, b'='));
            }
        }
    }
}

impl Options<'_> {
    /// Whether a tracker is to be loaded; the last one counts. It judges what is not ours, then.
    fn track(self) -> bool {
        let mut track = false;
        for (key, value) in self {
            if key == b"track" {
                track = value == b"1";
            }
        }
        track
    }
}

/// What is before the first `separator`, and what is behind it.
#[inline(never)]
fn halves(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut halves = text.splitn(2, |&byte| byte == separator);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

fn apply(key: &[u8], value: &[u8], is_tracked: bool) {
    // Compared whole: patterns would be compared byte by byte, in half a kilobyte of code.
    if key == b"track" {
        if value != b"1" && value != b"0" {
            complain("value", value, " of track");
        }
    } else if key != b"on_violation" {
        if !is_tracked {
            complain("option", key, "");
        }
    } else if value == b"warn" {
        ON_VIOLATION.store(OnViolation::Warn as u8, Relaxed);
    } else if value == b"abort" {
        ON_VIOLATION.store(OnViolation::Abort as u8, Relaxed);
    } else if value == b"quiet" {
        ON_VIOLATION.store(OnViolation::Quiet as u8, Relaxed);
    } else {
        complain("value", value, " of on_violation");
    }
}

/// One line: what was not understood, and what would have been.
fn complain(what: &str, text: &[u8], whose: &str) {
    /// More would push the choices out of the line.
    const SHOWN: usize = 64;
    let mut line = Line::new();
    line.text("KREF_OPTIONS: unknown ").text(what).text(" \"");
    match text.get(..SHOWN) {
        Some(beginning) => line.foreign(beginning).text("..."),
        None => line.foreign(text),
    };
    line.text("\"").text(whose).text(", ignored; the choices are track=1, which takes the ");
    line.text("tracker's, on_violation=warn, on_violation=abort and on_violation=quiet").write();
}

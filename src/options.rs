//! `KREF_OPTIONS`, written as the sanitizers' options are: `key=value:key=value`.
//!
//! The library reads the variable once, at load, so that a mistake in the variable is reported at
//! once and not at the first violation. With `track=1` an unknown option may be the tracker's, and the
//! tracker judges it.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::sys::bytes::take_until;
use crate::sys::env::variable;
use crate::sys::line::Line;

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

/// Relaxed throughout: no other data depends on this byte.
static ON_VIOLATION: AtomicU8 = AtomicU8::new(UNREAD);

/// Reads the variable, and returns it if it asks for a tracker.
pub(crate) fn at_load() -> Option<&'static CStr> {
    read();
    variable(VARIABLE).filter(|options| Options(options.to_bytes()).track())
}

pub(crate) fn on_violation() -> OnViolation {
    read(); // another module's constructor may misuse a count before this library's constructor runs
    match ON_VIOLATION.load(Relaxed) {
        mode if mode == OnViolation::Abort as u8 => OnViolation::Abort,
        mode if mode == OnViolation::Quiet as u8 => OnViolation::Quiet,
        _ => OnViolation::Warn,
    }
}

/// Reads the variable, once.
fn read() {
    let first = OnViolation::Warn as u8;
    if ON_VIOLATION.load(Relaxed) != UNREAD
        || ON_VIOLATION.compare_exchange(UNREAD, first, Relaxed, Relaxed).is_err()
    {
        return;
    }
    let Some(value) = variable(VARIABLE) else { return };
    let options = Options(value.to_bytes());
    let is_tracked = options.track();
    for (key, value) in options {
        apply(key, value, is_tracked);
    }
}

/// The options of `key=value:key=value` in their order, without empty ones.
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
            let mut option = take_until(&mut self.0, b':');
            if !option.is_empty() {
                return Some((take_until(&mut option, b'='), option));
            }
        }
    }
}

impl Options<'_> {
    /// Whether the library shall load a tracker. Of several `track` options the last one counts.
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

fn apply(key: &[u8], value: &[u8], is_tracked: bool) {
    // Not a `match`: the compiler would compare patterns byte by byte, in half a kilobyte of code.
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

/// One line: the unknown text, and the choices.
fn complain(what: &str, text: &[u8], whose: &str) {
    /// A longer text would push the choices out of the line.
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

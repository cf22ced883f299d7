//! `KREF_OPTIONS`: options for the library, in the sanitizers' syntax `key=value:key=value`.
//!
//! The library reads the variable once, at load. So it complains about a mistake in the variable at the
//! start of the program, and not at the first violation. With `track=1` the library ignores unknown
//! options, because they may be the tracker's. The tracker complains about those that it does not know.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::sys::bytes::take_until;
use crate::sys::env::variable;
use crate::sys::line::Line;

/// What the default violation handler does.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnViolation {
    Warn = 1,
    Abort = 2,
    Quiet = 3,
}

const VARIABLE: &CStr = c"KREF_OPTIONS";
const UNREAD: u8 = 0;

/// Relaxed everywhere: no other data depends on this byte.
static ON_VIOLATION: AtomicU8 = AtomicU8::new(UNREAD);

/// Reads the variable. Returns its value if it contains `track=1` or `track=file`.
pub(crate) fn at_load() -> Option<&'static CStr> {
    read();
    variable(VARIABLE).filter(|options| Options(options.to_bytes()).track())
}

pub(crate) fn on_violation() -> OnViolation {
    read(); // a constructor of another library may misuse a count before this library's constructor runs
    match ON_VIOLATION.load(Relaxed) {
        mode if mode == OnViolation::Abort as u8 => OnViolation::Abort,
        mode if mode == OnViolation::Quiet as u8 => OnViolation::Quiet,
        _ => OnViolation::Warn,
    }
}

/// Reads the variable, if nobody has done so yet.
fn read() {
    let first = OnViolation::Warn as u8;
    if ON_VIOLATION.load(Relaxed) != UNREAD
        || ON_VIOLATION.compare_exchange(UNREAD, first, Relaxed, Relaxed).is_err()
    {
        return;
    }
    if let Some(value) = variable(VARIABLE) {
        obey(Options(value.to_bytes()));
    }
}

fn obey(options: Options) {
    let is_tracked = options.track();
    for (key, value) in options {
        apply(key, value, is_tracked);
    }
}

/// Obeys `text` in place of the variable. Returns whether the library would load a tracker, and what the
/// default violation handler does now: 1 to 3, in the order of `OnViolation`.
#[cfg(feature = "fuzzing")]
pub fn obey_options(text: &[u8]) -> (bool, u8) {
    ON_VIOLATION.store(OnViolation::Warn as u8, Relaxed);
    obey(Options(text));
    (Options(text).track(), ON_VIOLATION.load(Relaxed))
}

/// An iterator over the options of `key=value:key=value`, in their order. Skips empty options.
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
    /// Whether the library loads a tracker. If there are several `track` options, the last one decides.
    fn track(self) -> bool {
        let mut track = false;
        for (key, value) in self {
            if key == b"track" {
                track = value == b"1" || value == b"file";
            }
        }
        track
    }
}

/// Whether the tracker tracks every object that begins: there is no `sample=1/N`.
#[cfg(not(loom))]
pub(crate) fn tracks_all(options: &CStr) -> bool {
    !Options(options.to_bytes()).any(|(key, _)| key == b"sample")
}

fn apply(key: &[u8], value: &[u8], is_tracked: bool) {
    // Not a `match`: for its patterns the compiler would emit half a kilobyte of code, byte by byte.
    if key == b"track" {
        if value != b"1" && value != b"0" && value != b"file" {
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

/// Writes one line: the unknown text, and the options that exist.
fn complain(what: &str, text: &[u8], whose: &str) {
    /// The unknown text is cut here, so that the line has room for the options that exist.
    const SHOWN: usize = 64;
    let mut line = Line::new();
    line.text("KREF_OPTIONS: unknown ").text(what).text(" \"");
    match text.split_at_checked(SHOWN) {
        Some((beginning, [_, ..])) => line.foreign(beginning).text("..."),
        _ => line.foreign(text),
    };
    line.text("\"")
        .text(whose)
        .text(", ignored; the choices are on_violation=warn, abort or quiet, ");
    line.text("and track=1 or file with the options of kref-track").write();
}

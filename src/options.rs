//! `KREF_OPTIONS`, written as the sanitizers' options are: `key=value:key=value`.
//!
//! Read once, when the library is loaded, so that a mistake in it is told at once and not at the
//! first violation; and with `secure_getenv`, so that a setuid program does not listen to it.

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

/// Runs `read` when the library is loaded, or the program that it is linked into starts.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = read;

pub(crate) fn on_violation() -> OnViolation {
    if ON_VIOLATION.load(Relaxed) == UNREAD {
        read(); // another module's constructor was here before ours
    }
    match ON_VIOLATION.load(Relaxed) {
        mode if mode == OnViolation::Abort as u8 => OnViolation::Abort,
        mode if mode == OnViolation::Quiet as u8 => OnViolation::Quiet,
        _ => OnViolation::Warn,
    }
}

extern "C" fn read() {
    unsafe extern "C" {
        fn secure_getenv(name: *const c_char) -> *const c_char;
    }
    let first = OnViolation::Warn as u8;
    if ON_VIOLATION.compare_exchange(UNREAD, first, Relaxed, Relaxed).is_err() {
        return;
    }
    // SAFETY: `VARIABLE` is a C string.
    let value = unsafe { secure_getenv(VARIABLE.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: the environment's value is a C string, and nobody changes it while we are here.
    let value = unsafe { CStr::from_ptr(value) };
    for option in value.to_bytes().split(|&byte| byte == b':') {
        apply(option);
    }
}

fn apply(option: &[u8]) {
    let mut halves = option.splitn(2, |&byte| byte == b'=');
    let (key, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let mode = match (key, value) {
        (b"", b"") => return,
        (b"on_violation", b"warn") => OnViolation::Warn,
        (b"on_violation", b"abort") => OnViolation::Abort,
        (b"on_violation", b"quiet") => OnViolation::Quiet,
        (b"on_violation", _) => return complain("value", value, " of on_violation"),
        _ => return complain("option", key, ""),
    };
    ON_VIOLATION.store(mode as u8, Relaxed);
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
    line.text("\"").text(whose);
    line.text(", ignored; the choices are on_violation=warn, on_violation=abort and ");
    line.text("on_violation=quiet").write();
}

//! KREF_OPTIONS: any text, against a parser that is written with std.
#![no_main]

mod memory;

use std::io::{Read, Seek};
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let (expected, lines) = model(text);
    let (found, written) = captured(|| kref::obey_options(text));
    assert_eq!(written, lines);
    assert_eq!(found, expected);
});

/// The result of `work`, and the text that it has written to standard error.
fn captured<T>(work: impl FnOnce() -> T) -> (T, String) {
    let mut file = memory::file(b"");
    // SAFETY: the descriptors are open.
    let standard_error = unsafe { libc::dup(2) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 2) }, 2);
    let result = work();
    // SAFETY: as above; nobody uses the copy again.
    unsafe { (libc::dup2(standard_error, 2), libc::close(standard_error)) };
    let mut written = String::new();
    file.rewind().expect("a file");
    file.read_to_string(&mut written).expect("ASCII");
    (result, written)
}

/// Whether a tracker is loaded, the mode of the default handler, and the lines that are written.
fn model(text: &[u8]) -> ((bool, u8), String) {
    let options: Vec<(&[u8], &[u8])> = text
        .split(|&byte| byte == b':')
        .filter(|option| !option.is_empty())
        .map(|option| {
            let end = option.iter().position(|&byte| byte == b'=').unwrap_or(option.len());
            (&option[..end], option.get(end + 1..).unwrap_or_default())
        })
        .collect();
    let tracks = options.iter().rev().find(|(key, _)| *key == b"track");
    let is_tracked = tracks.is_some_and(|(_, value)| *value == b"1" || *value == b"file");
    let (mut mode, mut lines) = (1, String::new());
    for (key, value) in options {
        match (key, value) {
            (b"track", b"0" | b"1" | b"file") => {}
            (b"track", _) => lines += &complaint("value", value, " of track"),
            (b"on_violation", b"warn") => mode = 1,
            (b"on_violation", b"abort") => mode = 2,
            (b"on_violation", b"quiet") => mode = 3,
            (b"on_violation", _) => lines += &complaint("value", value, " of on_violation"),
            _ if is_tracked => {}
            _ => lines += &complaint("option", key, ""),
        }
    }
    ((is_tracked, mode), lines)
}

fn complaint(what: &str, text: &[u8], whose: &str) -> String {
    let shown = text.iter().take(64).map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '?',
    });
    let cut = if text.len() > 64 { "..." } else { "" };
    format!(
        "kref: KREF_OPTIONS: unknown {what} \"{}{cut}\"{whose}, ignored; the choices are on_violation=warn, \
         abort or quiet, and track=1 or file with the options of kref-track\n",
        shown.collect::<String>()
    )
}

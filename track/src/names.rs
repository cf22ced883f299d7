//! Names of holders, types, functions and files: each is kept once, and known by a number.
//!
//! A name may come from a hostile program or file. What a terminal or XML would obey is replaced when the name
//! is kept, so that no report has to think of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use rustc_hash::FxBuildHasher;

/// A name's number. It takes three bytes in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(pub u32);

/// No name.
pub const NONE: Name = Name(0);
/// The largest number: the name of all for which there was no room.
pub const MOST: Name = Name(0xff_ffff);

/// All names.
#[derive(Default)]
pub struct Names {
    numbers: RefCell<HashMap<&'static str, Name, FxBuildHasher>>,
    texts: RefCell<Vec<&'static str>>,
}

impl Names {
    /// The number of a name that a program gave.
    pub fn of_bytes(&self, bytes: &[u8], has_room: bool) -> Name {
        if bytes.is_empty() { NONE } else { self.of_text(&shown(bytes), has_room) }
    }

    fn of_text(&self, text: &str, has_room: bool) -> Name {
        if let Some(&name) = self.numbers.borrow().get(text) {
            return name;
        }
        let mut texts = self.texts.borrow_mut();
        if !has_room || texts.len() + 1 >= MOST.0 as usize {
            return MOST;
        }
        let text: &'static str = text.to_string().leak();
        texts.push(text);
        let name = Name(texts.len() as u32);
        self.numbers.borrow_mut().insert(text, name);
        name
    }

    /// A name as it is shown, or `None` for [`NONE`].
    pub fn get(&self, name: Name) -> Option<&'static str> {
        if name == MOST {
            return Some("(a name for which there was no room)");
        }
        self.texts.borrow().get(name.0.checked_sub(1)? as usize).copied()
    }

    /// One copy of a text of ours or of a file's, for good.
    pub fn kept(&self, text: &[u8]) -> &'static str {
        self.get(self.of_bytes(text, true)).unwrap_or("")
    }

    /// The bytes that all names take, about.
    pub fn bytes(&self) -> usize {
        self.texts.borrow().len() * 96
    }
}

/// Bytes as text that moves no cursor: `\x1b` for an escape character, and for bytes that are no UTF-8.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_unsafe) => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe(c) {
                c.encode_utf8(&mut [0; 4])
                    .bytes()
                    .for_each(|byte| _ = write!(out, "\\x{byte:02x}"));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| _ = write!(out, "\\x{byte:02x}"));
    }
    out
}

/// Control characters, those that turn the direction of writing, line ends, and what XML cannot have.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::{MOST, NONE, Names, shown};

    #[test]
    fn a_name_has_one_number() {
        let names = Names::default();
        let cache = names.of_bytes(b"cache", true);
        assert_eq!(names.of_bytes(b"cache", true), cache);
        assert_ne!(names.of_bytes(b"index", true), cache);
        assert_eq!(names.get(cache), Some("cache"));
        assert_eq!((names.of_bytes(b"", true), names.get(NONE)), (NONE, None));
        assert_eq!(names.of_bytes(b"new", false), MOST);
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(shown(b"\x1b[31m\xff\n"), "\\x1b[31m\\xff\\x0a");
        assert_eq!(shown("\u{9b}31m, \u{202e}".as_bytes()), "\\xc2\\x9b31m, \\xe2\\x80\\xae");
        assert_eq!(shown("ümlaut <b>".as_bytes()), "ümlaut <b>");
    }
}

//! Lines of source files, for the frames of a stack.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use crate::code::Code;

/// The bytes of the largest source file that is read. The frames of a larger one have no source lines.
const LARGEST: u64 = 4 << 20;
/// The bytes of all source files together that are read. Of other files no lines are there.
const MOST: u64 = 64 << 20;
/// The name of a source file comes from the program, and a page with lines of it may be given to others: so no file is
/// read that is no source.
const ENDINGS: [&str; 17] = [
    "c", "h", "cc", "cpp", "cxx", "c++", "C", "hh", "hpp", "hxx", "h++", "H", "inc", "inl", "ipp",
    "rs", "y",
];

/// The files that were read.
pub struct Sources<'a> {
    code: &'a Code,
    files: RefCell<HashMap<(String, String), Option<Lines>>>,
    bytes: Cell<u64>,
}

/// The lines of a file.
type Lines = Rc<[String]>;

impl<'a> Sources<'a> {
    /// None yet.
    pub fn new(code: &'a Code) -> Self {
        Self { code, files: RefCell::default(), bytes: Cell::new(0) }
    }

    /// The lines of a file, if it is there and no newer than the program or library that was made of it.
    pub fn lines(&self, file: &str, module: &str) -> Option<Lines> {
        let key = (file.to_string(), module.to_string());
        let known = self.files.borrow().get(&key).cloned();
        known.unwrap_or_else(|| {
            let lines = self.read(file, module);
            self.files.borrow_mut().insert(key, lines.clone());
            lines
        })
    }

    fn read(&self, file: &str, module: &str) -> Option<Lines> {
        let ending = Path::new(file).extension()?.to_str()?;
        let written = self.code.written(module).filter(|_| ENDINGS.contains(&ending))?;
        // Nothing waits for the writer of a pipe.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let source = File::options().read(true).custom_flags(flags).open(file).ok()?;
        let data = source.metadata().ok().filter(|data| data.is_file() && data.len() <= LARGEST)?;
        let all = self.bytes.get() + data.len();
        if data.modified().ok()? > written || all > MOST {
            return None;
        }
        self.bytes.set(all);
        let mut bytes = Vec::new();
        source.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.lines().map(|line| line.replace('\t', "    ")).collect())
    }
}

/// The numbers of so many lines before a line, and behind it. The first line of a file has number 1.
pub fn around(line: usize, many: usize, lines: usize) -> RangeInclusive<usize> {
    line.saturating_sub(many).max(1)..=(line + many).min(lines)
}

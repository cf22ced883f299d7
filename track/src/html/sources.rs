//! Lines of source files, for the frames of a stack.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::code::Code;

/// How many lines are shown before a frame's line, and as many behind it.
const AROUND: usize = 3;
/// The bytes of the largest source file that is read. The frames of a larger one have no source lines.
const LARGEST: u64 = 4 << 20;
/// The bytes of all source files together that are read for one page. Of other files no lines are shown.
const MOST: u64 = 64 << 20;
/// The name of a source file comes from the program, and the page may be given to others: so no file is read that is
/// no source.
const ENDINGS: [&str; 17] = [
    "c", "h", "cc", "cpp", "cxx", "c++", "C", "hh", "hpp", "hxx", "h++", "H", "inc", "inl", "ipp",
    "rs", "y",
];

/// The files that were read.
pub struct Sources<'a> {
    code: &'a Code,
    files: HashMap<(String, String), Option<Vec<String>>>,
    bytes: u64,
}

/// A line, by its number, and whether it is the frame's.
pub type Line<'a> = (usize, &'a str, bool);

impl<'a> Sources<'a> {
    /// None yet.
    pub fn new(code: &'a Code) -> Self {
        Self { code, files: HashMap::new(), bytes: 0 }
    }

    /// The lines around a line of a file, if it is there and no newer than the program or library that was made of it.
    pub fn around(&mut self, file: &str, line: usize, module: &str) -> Vec<Line<'_>> {
        let key = (file.to_string(), module.to_string());
        if !self.files.contains_key(&key) {
            let lines = self.read(file, module);
            self.files.insert(key.clone(), lines);
        }
        let Some(Some(lines)) = self.files.get(&key) else { return Vec::new() };
        if line == 0 || line > lines.len() {
            return Vec::new();
        }
        let numbers = line.saturating_sub(AROUND).max(1)..=(line + AROUND).min(lines.len());
        numbers.map(|number| (number, lines[number - 1].as_str(), number == line)).collect()
    }

    fn read(&mut self, file: &str, module: &str) -> Option<Vec<String>> {
        let ending = Path::new(file).extension()?.to_str()?;
        let written = self.code.written(module).filter(|_| ENDINGS.contains(&ending))?;
        // Nothing waits for the writer of a pipe.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let source = File::options().read(true).custom_flags(flags).open(file).ok()?;
        let data = source.metadata().ok().filter(|data| data.is_file() && data.len() <= LARGEST)?;
        if data.modified().ok()? > written || self.bytes + data.len() > MOST {
            return None;
        }
        self.bytes += data.len();
        let mut bytes = Vec::new();
        source.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.lines().map(|line| line.replace('\t', "    ")).collect())
    }
}

//! The C and C++ programs, and what their opening comments say.

use std::path::{Path, PathBuf};

use kref_c_tests::{WARNINGS, c_tests, emulator, is_musl};

/// A C or C++ file. Its opening comment has the directives for this driver.
#[derive(Clone)]
pub struct Program {
    /// The folder and the file without `.c` or `.cpp`: `slot/run-replace`.
    pub name: String,
    pub path: PathBuf,
    text: String,
}

impl Program {
    /// The texts after `key: ` in the opening comment. There may be several lines with one key.
    pub fn says<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let comment = self.text.lines().take_while(|line| !line.contains("*/"));
        comment.filter_map(move |line| {
            line.trim_start_matches([' ', '*', '/']).strip_prefix(key)?.strip_prefix(": ")
        })
    }

    pub fn has_tool(&self, tool: &str) -> bool {
        self.says("tools").any(|tools| tools.split_whitespace().any(|name| name == tool))
    }

    pub fn does_without(&self, tool: &str) -> bool {
        self.says("without").any(|tools| tools.starts_with(tool))
    }

    pub fn is_cpp(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "cpp")
    }

    /// The dialect and the warnings.
    pub fn warnings(&self) -> Vec<&'static str> {
        let [in_c, warnings @ ..] = WARNINGS;
        let dialect = if self.is_cpp() { "-std=c++11" } else { in_c };
        [&[dialect], &warnings[..]].concat()
    }

    /// An error if the emulator, or the C library, cannot run the program.
    pub fn check_machine(&self) -> Result<(), String> {
        let is_here = |reason: &str| {
            emulator().is_some() && reason.starts_with("qemu-user")
                || is_musl() && reason.starts_with("musl")
        };
        match self.says("without").find(|reason| is_here(reason)) {
            Some(reason) => Err(format!("not under {reason}")),
            None => Ok(()),
        }
    }
}

/// The programs in the folders of c-tests.
pub fn programs() -> Vec<Program> {
    let mut found: Vec<Program> = entries(&c_tests())
        .filter(|path| path.is_dir())
        .flat_map(|folder| entries(&folder))
        .filter(|path| path.extension().is_some_and(|ending| ending == "c" || ending == "cpp"))
        .map(|path| {
            let name = path.strip_prefix(c_tests()).expect("it is in c-tests").with_extension("");
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            Program { name: name.display().to_string(), path, text }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).expect("c-tests can be read");
    entries.map(|entry| entry.expect("c-tests can be read").path())
}

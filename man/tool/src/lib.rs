//! Makes libkref's man pages and its web site from the comments of the headers, from docs/ and from the help of
//! kref-track, so that a text is written once.
//!
//! No tool that we found makes pages with a synopsis, a return value and standards out of comments in plain words:
//! doxygen's man pages have a page for each file or struct and want its own commands in the comments, and
//! kernel-doc wants the kernel's.

pub mod declaration;
pub mod header;
mod markdown;
pub mod names;
pub mod pages;
pub mod roff;
pub mod site;
mod synopsis;
pub mod text;

use std::fs;
use std::path::Path;

use header::Header;

/// What the pages are made from.
#[derive(Debug)]
pub struct Project {
    /// The headers: kref.h first.
    pub headers: Vec<Header>,
    /// `0.2.0`
    pub version: String,
    /// The day of the version, from debian/changelog: `2026-11-24`.
    pub date: String,
    /// docs/violations.md
    pub violations: String,
    /// docs/options.md
    pub options: String,
    /// docs/tracking.md
    pub tracking: String,
    /// What `kref-track --help` prints.
    pub help: String,
}

impl Project {
    /// Reads the project in a folder.
    pub fn read(root: &Path) -> Self {
        let read = |file: &str| {
            fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
        };
        let read_header = |file: &String| {
            let text = read(&format!("include/{file}"));
            // The C++ of a .hpp is not read: its page is its first comment.
            let text = if file.ends_with(".hpp") { first_comment(&text) } else { &text };
            Header::read(file, text)
        };
        let mut headers: Vec<_> = header_files(root).iter().map(read_header).collect();
        names::keep_public(&mut headers);

        let manifest = read("Cargo.toml");
        let version = between(&manifest, "version = \"", "\"").to_string();
        let source = read("track/src/command.rs");
        let help = between(&source, "const HELP: &str = \"\\\n", "\n\";").to_string();
        Self {
            headers,
            version,
            date: date(&read("debian/changelog")),
            violations: read("docs/violations.md"),
            options: read("docs/options.md"),
            tracking: read("docs/tracking.md"),
            help,
        }
    }
}

/// The headers that are installed, such as `kref/slot.h`, in the order of the Makefile: kref.h first, and then the
/// order in which a user reads them.
pub fn header_files(root: &Path) -> Vec<String> {
    let makefile = fs::read_to_string(root.join("Makefile")).expect("Makefile");
    let list = between(&makefile, "\nHEADERS := ", "\n\n").replace('\\', "");
    list.split_whitespace().map(str::to_string).collect()
}

fn first_comment(text: &str) -> &str {
    text.find("*/").map_or(text, |end| &text[..end + 2])
}

/// What stands between two texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let after = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}")).1;
    after.split_once(end).unwrap_or_else(|| panic!("no {end:?}")).0
}

/// ` -- maintainers <address>  Tue, 24 Nov 2026 12:00:00 +0000` is 2026-11-24.
fn date(changelog: &str) -> String {
    let mut words = between(changelog, ">  ", "\n").split_whitespace().skip(1);
    let mut word = || words.next().expect("a date in debian/changelog");
    let (day, name, year) = (word(), word(), word());
    let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let month = months.find(name).expect("a month") / 4 + 1;
    format!("{year}-{month:02}-{day:0>2}")
}

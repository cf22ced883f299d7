//! The life of one object, as it happens: object=N.

use std::fmt::Write as _;

use crate::object::{Act, Holder};
use crate::options::options;
use crate::{clock, output, text};

/// An event in it.
pub struct Line {
    /// What was done.
    pub act: &'static str,
    /// By whom.
    pub by: Act,
    /// The count after it.
    pub count: u32,
    /// Who takes or gives, by name.
    pub holder: Holder,
}

/// Writes `line` if it is about the object that was asked for.
pub fn note(serial: u64, line: Line) {
    if options().object != Some(serial) {
        return;
    }
    let entry = if options().json { json(serial, &line) } else { plain(serial, &line) };
    output::write(&entry);
}

fn plain(serial: u64, line: &Line) -> String {
    let mut entry = String::new();
    let seconds = clock::exactly() as f64 / 1e9;
    let holder = line.holder.name().map(|name| format!(" by \"{name}\"")).unwrap_or_default();
    let _ = writeln!(
        entry,
        "object #{serial}, {seconds:.6} s: {}{holder}, count {}, {}",
        line.act,
        line.count,
        text::thread(line.by.thread),
    );
    text::stack(&mut entry, line.by.stack, "    ");
    entry
}

fn json(serial: u64, line: &Line) -> String {
    let entry = serde_json::json!({
        "kind": "event",
        "object": serial,
        "time": clock::exactly() as f64 / 1e9,
        "act": line.act,
        "holder": line.holder.name(),
        "count": line.count,
        "thread": crate::json::thread(line.by.thread),
        "stack": crate::json::stack(line.by.stack),
    });
    format!("{entry}\n")
}

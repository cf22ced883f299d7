//! What documents show of the reports: sections with findings, each of which is at one stack. They are made of the
//! values that format=json has.

use serde_json::Value;

use crate::text::{duration, number};

mod held;
mod told;

pub use held::are_held;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// It is wrong.
    Error,
    /// Something is wrong, and it is not certain that it is this.
    Warning,
    /// It may be right.
    Note,
}

impl Level {
    /// As SARIF calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A stack, and what was done there.
pub struct Stack<'a> {
    /// What: "taken by thread 1 (123), 2 ms ago".
    pub what: String,
    /// The frames, the innermost first.
    pub frames: &'a [Value],
    /// The frame that is meant: the functions before it only wrap the get or the put.
    frame: usize,
}

impl<'a> Stack<'a> {
    /// A stack of which the innermost frame is meant.
    pub fn new(what: impl Into<String>, frames: &'a Value) -> Self {
        Self::at(what, frames, &Value::Null)
    }

    /// A stack of which this frame is meant.
    fn at(what: impl Into<String>, frames: &'a Value, frame: &Value) -> Self {
        Self { what: what.into(), frames: list(frames), frame: count(frame) as usize }
    }

    /// The frame that is meant, if it has a line in a source file. Otherwise the next frame that has a line; if none has,
    /// the next frame that is in a program or a library.
    pub fn place(&self) -> Option<&Value> {
        let frames = self.frames.get(self.frame..).unwrap_or(self.frames);
        let of = |key| frames.iter().find(|frame| !frame[key].is_null());
        of("line").or(of("module")).or(frames.first())
    }
}

/// Something that is wrong.
pub struct Finding<'a> {
    /// The kind, as format=json names it, or "leak".
    pub rule: &'a str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong, in one line.
    pub what: String,
    /// The type of the object.
    pub of: &'a str,
    /// Who holds the references, or has put.
    pub holder: &'a str,
    /// How many references it is about, and how many objects.
    pub counts: (u64, u64),
    /// The process.
    pub process: u64,
    /// What speaks for it and against it, each in a sentence.
    pub reasons: Vec<String>,
    /// Where: the first is to blame.
    pub stacks: Vec<Stack<'a>>,
}

/// Findings that belong together.
pub struct Section<'a> {
    /// What is wrong.
    pub title: String,
    /// What is known beside it, each in a line.
    pub notes: Vec<String>,
    /// The findings, those that are most likely to blame first.
    pub findings: Vec<Finding<'a>>,
    /// Gets and puts by stack, if it is not certain what is left.
    pub balance: &'a [Value],
}

/// The sections of a report.
pub fn sections(report: &Value) -> Vec<Section<'_>> {
    match text(&report["kind"]) {
        "held" => held::sections(report),
        "misuse" => vec![single(told::misuse(report), told::misuse_notes(report))],
        "crash" => vec![single(told::crash(report), Vec::new())],
        "stuck" => vec![single(told::stuck(report), Vec::new())],
        "balance" => {
            list(&report["left"]).iter().map(|left| told::left_behind(report, left)).collect()
        }
        "stale-handles" => told::stale_handles(report),
        _ => vec![single(told::other(report), Vec::new())],
    }
}

fn single<'a>(finding: Finding<'a>, notes: Vec<String>) -> Section<'a> {
    Section { title: finding.what.clone(), notes, findings: vec![finding], balance: &[] }
}

/// A text of the report, or nothing.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A finding of which only the kind is known.
fn of_report<'a>(report: &'a Value, rule: &'a str) -> Finding<'a> {
    Finding {
        rule,
        level: Level::Error,
        what: String::new(),
        of: "",
        holder: "",
        counts: (0, 0),
        process: count(&report["process"]),
        reasons: Vec::new(),
        stacks: Vec::new(),
    }
}

/// "2 references on 1 object".
pub fn amount((references, objects): (u64, u64)) -> String {
    format!("{} on {}", number(references, "reference"), number(objects, "object"))
}

/// Seconds, as people read them.
fn age(seconds: &Value) -> String {
    duration((seconds.as_f64().unwrap_or(0.0) * 1e3).round() as u32)
}

/// A thread, by both numbers.
pub fn thread(thread: &Value) -> String {
    let number = count(&thread["number"]);
    match thread["tid"].as_u64() {
        Some(tid) => format!("thread {number} ({tid})"),
        None => format!("thread {number}"),
    }
}

/// A frame in one line.
pub fn place(frame: &Value) -> String {
    let (function, file) = (text(&frame["function"]), text(&frame["file"]));
    let code = || format!("{}+{}", text(&frame["module"]), text(&frame["offset"]));
    let place = match (function, file) {
        ("", "") => code(),
        (function, "") => format!("{function} ({})", code()),
        ("", file) => format!("{file}:{}", count(&frame["line"])),
        (function, file) => format!("{function} {file}:{}", count(&frame["line"])),
    };
    if frame["tail_call"] == true { place + " (tail call)" } else { place }
}

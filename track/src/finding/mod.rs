//! What documents show of the reports: sections with findings, each of which is at one stack. They are made of the
//! values that format=json has.

use serde_json::Value;

use crate::percpu::INITIAL;
use crate::text::{SINGLETON, duration, number};

mod told;

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
}

impl Stack<'_> {
    /// The innermost frame that has a line in a source file, or else the innermost one.
    pub fn place(&self) -> Option<&Value> {
        self.frames.iter().find(|frame| frame["line"].is_u64()).or(self.frames.first())
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
        "held" => held(report),
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

/// So many references are held, and when.
pub fn are_held(report: &Value, references: u64) -> String {
    let (are, were) = if references == 1 { ("is", "was") } else { ("are", "were") };
    match text(&report["when"]) {
        "exit" => format!("{are} still held at exit"),
        "left" => format!("{are} still held: the program ended without exit()"),
        "signal" => format!("{are} still held: a signal ended the program"),
        "exec" => format!("{are} still held: the program executed another one"),
        _ => format!("{were} held when the report was asked for"),
    }
}

fn held(report: &Value) -> Vec<Section<'_>> {
    let types = list(&report["types"]).iter().map(|of| one_type(report, of));
    let unexited = list(&report["unexited"]).iter().map(|of| {
        let what = format!(
            "{} released without percpu_ref_exit()",
            number(count(&of["count"]), "percpu_ref")
        );
        let stacks = vec![Stack { what: "initialised here".into(), frames: list(&of["stack"]) }];
        let of = (count(&of["count"]), count(&of["count"]));
        single(
            Finding { what, counts: (0, of.1), stacks, ..of_report(report, "no-exit") },
            Vec::new(),
        )
    });
    types.chain(unexited).collect()
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
        stacks: Vec::new(),
    }
}

fn one_type<'a>(report: &'a Value, of: &'a Value) -> Section<'a> {
    let name = text(&of["type"]);
    let counts = (count(&of["references"]), count(&of["objects"]));
    let is_certain = of["certain"] == true;
    let references = list(&of["held"]).iter();
    let is_singleton = of["singleton"] == true;
    let mut notes = reach(&of["reach"]);
    if is_singleton {
        notes.push(format!("{SINGLETON}."));
    }
    if !is_certain {
        let puts = number(count(&of["unsure_puts"]), "put");
        notes.push(format!(
            "It is not known which reference {puts} gave back: the stacks are likely, not certain."
        ));
    }
    if count(&of["unrecorded_gets"]) > 0 {
        let gets = number(count(&of["unrecorded_gets"]), "get");
        notes.push(format!("{gets} more: the memory that max_memory= allows was full."));
    }
    Section {
        title: format!("{name}: {} {}", amount(counts), are_held(report, counts.0)),
        notes,
        findings: references
            .map(|held| leak(report, name, is_certain, held))
            .map(|leak| if is_singleton { Finding { level: Level::Note, ..leak } } else { leak })
            .collect(),
        balance: if is_certain { &[] } else { list(&of["balance"]) },
    }
}

/// "2 references on 1 object".
pub fn amount((references, objects): (u64, u64)) -> String {
    format!("{} on {}", number(references, "reference"), number(objects, "object"))
}

fn leak<'a>(report: &'a Value, name: &'a str, is_certain: bool, held: &'a Value) -> Finding<'a> {
    let counts = (count(&held["count"]), count(&held["objects"]));
    let holder = text(&held["holder"]);
    let of = match (holder, held["initial"] == true) {
        (INITIAL, _) => ", the initial one, which percpu_ref_kill() gives back,".to_string(),
        ("", true) => " of the creator".to_string(),
        ("", false) => String::new(),
        (holder, _) => format!(" of \"{holder}\""),
    };
    let what = format!(
        "{}{of} on {} ({name}) {}",
        number(counts.0, "reference"),
        number(counts.1, "object"),
        are_held(report, counts.0)
    );
    let example = &held["example"];
    let (serial, address) = (count(&example["object"]), text(&example["address"]));
    let by = match list(&held["threads"]) {
        [only] => thread(only),
        several => format!("{} threads", several.len()),
    };
    let ages = match (age(&held["newest"]), age(&held["oldest"])) {
        (newest, oldest) if newest == oldest => format!("{oldest} ago"),
        (newest, oldest) => format!("{newest} to {oldest} ago"),
    };
    let taken = format!("taken {ages} by {by}, on object #{serial} at {address}");
    let taken = if counts.1 > 1 { taken + " and others" } else { taken };
    let level = if is_certain { Level::Error } else { Level::Warning };
    let stacks = vec![Stack { what: taken, frames: list(&held["stack"]) }];
    Finding { level, what, of: name, holder, counts, stacks, ..of_report(report, "leak") }
}

fn reach(reach: &Value) -> Vec<String> {
    use crate::reach::Class;
    let known = Class::ALL.iter().filter_map(|class| {
        let count = count(&reach[class.name()]);
        let (one, several) = class.words();
        let words = if count == 1 { one } else { several };
        (count > 0).then(|| format!("{} {words}", number(count, "object")))
    });
    known.collect()
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

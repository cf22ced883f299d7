//! Findings of references that are held.

use serde_json::Value;

use super::{
    Finding, Level, Section, Stack, age, amount, count, list, of_report, place, single, text,
    thread,
};
use crate::evidence::Certainty;
use crate::percpu::INITIAL;
use crate::text::{self, number};

/// The words behind a number of references: that they are held, and when.
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

pub fn sections(report: &Value) -> Vec<Section<'_>> {
    let types = list(&report["types"]).iter().map(|of| one_type(report, of));
    let unexited = list(&report["unexited"]).iter().map(|of| {
        let what = format!(
            "{} released without percpu_ref_exit()",
            number(count(&of["count"]), "percpu_ref")
        );
        let stacks = vec![Stack::new("initialised here", &of["stack"])];
        let of = (count(&of["count"]), count(&of["count"]));
        single(
            Finding { what, counts: (0, of.1), stacks, ..of_report(report, "no-exit") },
            Vec::new(),
        )
    });
    types.chain(unexited).collect()
}

fn one_type<'a>(report: &'a Value, of: &'a Value) -> Section<'a> {
    let name = text(&of["type"]);
    let counts = (count(&of["references"]), count(&of["objects"]));
    let is_certain = of["certain"] == true;
    let references = list(&of["held"]).iter();
    let is_singleton = of["singleton"] == true;
    let mut notes = reach(&of["reach"]);
    if is_singleton {
        notes.push(format!("{}.", text::SINGLETON));
    }
    if !is_certain {
        notes.push(format!("{}.", text::UNCERTAIN));
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
    let verdict = &held["verdict"];
    let mut stacks = vec![Stack::at(taken, &held["stack"], &verdict["frame"])];
    let mut reasons = Vec::new();
    if let Some((words, stack)) = usual(&verdict["usual"]) {
        reasons.push(format!("Such references are {words}"));
        stacks.push(stack);
    }
    if verdict["rival"].is_object() {
        reasons.push(rival(verdict));
        let line = &verdict["rival"]["line"];
        stacks.push(Stack::at("the other reference, taken here", &line["stack"], &line["frame"]));
    }
    Finding { level, what, of: name, holder, counts, reasons, stacks, ..of_report(report, "leak") }
}

/// Where references are given back most often.
fn usual(puts: &Value) -> Option<(String, Stack<'_>)> {
    let first = list(puts).first()?;
    let stack = Stack::at("such a reference, given back here", &first["stack"], &first["frame"]);
    Some((text::usually(&named(first), count(&first["count"])), stack))
}

/// What else may be to blame.
fn rival(verdict: &Value) -> String {
    let rival = &verdict["rival"];
    let usual = usual(&rival["usual"]).map(|(words, _)| words);
    let certainty = Certainty::ALL.into_iter().find(|it| verdict["certainty"] == it.name());
    let certainty = certainty.unwrap_or(Certainty::Likely);
    text::rival(certainty, rival["initial"] == true, &named(&rival["line"]), usual)
}

/// The line of a stack that is meant.
fn named(line: &Value) -> String {
    let frame = list(&line["stack"]).get(count(&line["frame"]) as usize);
    frame.map_or(text::UNKNOWN.into(), place)
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

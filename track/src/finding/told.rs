//! Findings of what was wrong when it was done: misuse, crashes, and others that are no held references.

use serde_json::Value;

use super::{
    Finding, Level, Section, Stack, age, amount, count, list, of_report, place, single, text,
    thread,
};
use crate::text::number;

/// Holders of a misused object that are shown, and its puts.
const MOST_HOLDERS: usize = 5;
const MOST_PUTS: usize = 8;

fn act<'a>(what: &str, act: &'a Value) -> Option<Stack<'a>> {
    let by = || format!("{what} by {}, {} ago", thread(&act["thread"]), age(&act["age"]));
    act.is_object().then(|| Stack::new(by(), &act["stack"]))
}

/// A misuse.
pub fn misuse(report: &Value) -> Finding<'_> {
    let rule = text(&report["misuse"]);
    let message = text(&report["message"]);
    let note = message.strip_prefix("note: ");
    let released = if report["freed"] == true { "freed" } else { "released" };
    let mut stacks = Vec::new();
    // It is not known who wrote.
    if rule != "write-after-release" {
        stacks.extend(act("done", &report["by"]));
    }
    stacks.extend(act(released, &report["released"]));
    stacks.extend(act("killed", &report["killed"]));
    stacks.extend(act("created", &report["created"]));
    for group in list(&report["held"]).iter().take(MOST_HOLDERS) {
        let count = number(count(&group["count"]), "reference");
        let who = match (text(&group["holder"]), group["initial"] == true) {
            ("", true) => "the creator".to_string(),
            ("", false) => thread(&group["by"]["thread"]),
            (name, _) => format!("\"{name}\""),
        };
        let what = format!("{count} held by {who}, taken here");
        stacks.push(Stack::new(what, &group["by"]["stack"]));
    }
    Finding {
        level: if note.is_some() { Level::Note } else { Level::Error },
        what: note.unwrap_or(message).to_string(),
        of: text(&report["type"]),
        holder: text(&report["holder"]),
        counts: (0, 1),
        stacks,
        ..of_report(report, rule)
    }
}

/// What is known of a misuse beside its stacks.
pub fn misuse_notes(report: &Value) -> Vec<String> {
    let address = text(&report["address"]);
    let mut notes = vec![match report["object"].as_u64() {
        Some(serial) => format!("Object #{serial} at {address}."),
        None => format!("The count at {address}."),
    }];
    if !text(&report["holder"]).is_empty() {
        notes.push(format!("The holder's name: \"{}\".", text(&report["holder"])));
    }
    if report["misuse"] == "write-after-release" {
        let place = text(&report["place"]);
        notes.push(format!("The first change is at {place}; it is not known who wrote, and when."));
    }
    for pair in list(&report["given_back"]).iter().take(MOST_PUTS) {
        let of = |stack: &Value| list(stack).first().map_or("an unknown place".into(), place);
        let get = if pair["get"].is_null() {
            "the creator's reference".to_string()
        } else {
            format!("a get of {}", of(&pair["get"]))
        };
        let puts = number(count(&pair["count"]), "earlier put");
        notes.push(format!("{puts} of {}, for {get}: it may be the wrong one.", of(&pair["put"])));
    }
    notes
}

/// A fatal signal.
pub fn crash(report: &Value) -> Finding<'_> {
    let signal = crate::report::name_of(count(&report["signal"]) as i32);
    let here = Stack::new("the signal came here", &report["by"]["stack"]);
    let mut stacks = vec![here];
    let object = &report["object"];
    stacks.extend(act("the object near the address: released", &object["released"]));
    stacks.extend(act("the object near the address: created", &object["created"]));
    for last in list(&report["last"]) {
        let what =
            format!("before it: {} of the count at {}", text(&last["act"]), text(&last["address"]));
        stacks.extend(act(&what, &last["by"]));
    }
    let what =
        format!("{signal} in {}, at {}", thread(&report["by"]["thread"]), text(&report["address"]));
    Finding { what, stacks, ..of_report(report, "crash") }
}

/// A release function that does not return.
pub fn stuck(report: &Value) -> Finding<'_> {
    let waits = |wait: &Value| match text(&wait["for"]) {
        "mutex" if wait["holder"] == wait["tid"] => {
            "waits for a mutex that its own thread holds".to_string()
        }
        "mutex" => format!("waits for a mutex that thread {} holds", count(&wait["holder"])),
        "thread" => "waits for another thread".to_string(),
        "system-call" => "is in a system call".to_string(),
        "running" => "is running".to_string(),
        _ => "does something that the kernel does not tell".to_string(),
    };
    let what =
        format!("a release function does not return: its thread {}", waits(&report["waits"]));
    let stacks = Vec::from_iter(act("the last put", &report["by"]));
    Finding { what, stacks, counts: (0, 1), ..of_report(report, "stuck") }
}

/// What a region between kref_balance_begin() and kref_balance_end() left behind, of one type at one stack.
pub fn left_behind<'a>(report: &'a Value, left: &'a Value) -> Section<'a> {
    let counts = (count(&left["references"]), count(&left["objects"]));
    let of = text(&left["type"]);
    let what = format!("{} ({of}) left behind at kref_balance_end()", amount(counts));
    let taken = Stack::new("taken here", &left["stack"]);
    let begun = act("kref_balance_begin() called", &report["begun"]);
    let stacks = [taken].into_iter().chain(begun).collect();
    single(Finding { what, of, counts, stacks, ..of_report(report, "balance") }, Vec::new())
}

/// Lookups that found no object.
pub fn stale_handles(report: &Value) -> Vec<Section<'_>> {
    let by = list(&report["by"]).iter().map(|of| {
        let what = format!("{} by handle found no object", number(count(&of["lookups"]), "lookup"));
        let stacks = vec![Stack::new("looked up here", &of["stack"])];
        let level = Level::Note;
        single(Finding { level, what, stacks, ..of_report(report, "stale-handles") }, Vec::new())
    });
    by.collect()
}

/// A report of a kind that has no section of its own.
pub fn other(report: &Value) -> Finding<'_> {
    let kind = text(&report["kind"]);
    let here = Stack::new("here", &report["stack"]);
    let stacks = act("done", &report["by"]).into_iter().chain([here]);
    let stacks = stacks.filter(|stack| !stack.frames.is_empty()).collect();
    Finding { level: Level::Note, what: kind.to_string(), stacks, ..of_report(report, kind) }
}

//! Reports for machines: one JSON value in a line. track/schema.json describes them.

use serde_json::{Value, json};

use crate::clock;
use crate::leaks::{Leaks, Reference, Type};
use crate::misuse::Offence;
use crate::object::{Act, Group};
use crate::stacks::{self, Id};
use crate::{memory, report, stale, symbols, table};

/// What is held.
pub fn leaks(leaks: &Leaks, when: &str) -> String {
    let types: Vec<_> = leaks.types.iter().map(|of| one_type(of, leaks.now)).collect();
    let report = json!({
        "kind": "held",
        "when": when,
        "since_checkpoint": report::has_checkpoint(),
        "process": std::process::id(),
        "objects": leaks.objects,
        "references": leaks.references,
        "created": table::created(),
        "types": types,
        "dropped": dropped(),
    });
    format!("{report}\n")
}

fn dropped() -> Value {
    let dropped = crate::report::Dropped::now();
    json!({
        "objects": dropped.objects,
        "stacks": dropped.stacks,
        "events": dropped.events,
        "memory": memory::used(),
    })
}

fn one_type(of: &Type, now: clock::Time) -> Value {
    let held: Vec<_> = of.held.iter().map(|held| reference(held, now)).collect();
    let sites: Vec<_> = of
        .sites
        .iter()
        .map(|(&id, &(gets, puts))| json!({ "gets": gets, "puts": puts, "stack": stack(id) }))
        .collect();
    json!({
        "type": of.name,
        "objects": of.objects,
        "references": of.references,
        "certain": of.unsure == 0,
        "unsure_puts": of.unsure,
        "unrecorded_gets": of.unrecorded,
        "held": held,
        "balance": sites,
    })
}

fn reference(held: &Reference, now: clock::Time) -> Value {
    let threads: Vec<_> = held.threads.keys().map(|&number| thread(number)).collect();
    let age = |time: clock::Time| now.saturating_sub(time) as f64 / 1e9;
    json!({
        "holder": held.holder,
        "initial": held.is_first,
        "count": held.count,
        "objects": held.objects,
        "example": { "object": held.example.0, "address": address(held.example.1) },
        "oldest": age(held.times.0),
        "newest": age(held.times.1),
        "threads": threads,
        "stack": stack(held.stack),
    })
}

/// Lookups in pools that found no object.
pub fn stale_handles() -> String {
    let (all, stacks) = stale::gather();
    let by: Vec<_> = stacks
        .into_iter()
        .map(|(id, of)| {
            json!({
                "lookups": of.all,
                "never_given": of.never_given,
                "stack": stack(id),
            })
        })
        .collect();
    let report = json!({
        "kind": "stale-handles",
        "process": std::process::id(),
        "lookups": all.all,
        "never_given": all.never_given,
        "by": by,
    });
    format!("{report}\n")
}

/// A misuse.
pub fn misuse(offence: &Offence) -> String {
    let held: Vec<_> = offence.held.iter().map(group).collect();
    let report = json!({
        "kind": "misuse",
        "misuse": offence.kind.name(),
        "message": offence.kind.sentence(),
        "process": std::process::id(),
        "object": (offence.serial != 0).then_some(offence.serial),
        "address": address(offence.address),
        "type": offence.type_name(),
        "holder": offence.holder,
        "by": act(offence.by),
        "released": offence.released.map(act),
        "created": offence.created.map(act),
        "held": held,
    });
    format!("{report}\n")
}

fn group(group: &Group) -> Value {
    json!({
        "holder": group.holder.name(),
        "initial": group.is_first,
        "count": group.count,
        "by": act(group.by),
    })
}

fn act(act: Act) -> Value {
    let age = clock::now().saturating_sub(act.time) as f64 / 1e9;
    json!({ "thread": thread(act.thread), "age": age, "stack": stack(act.stack) })
}

fn address(address: usize) -> String {
    format!("{address:#x}")
}

/// A thread, by our number and the kernel's.
pub fn thread(number: u32) -> Value {
    json!({ "number": number, "tid": crate::thread::kernel_number(number) })
}

/// The frames, the innermost first.
pub fn stack(id: Id) -> Value {
    let frames = stacks::get(id).map_or(&[][..], |stack| &stack.frames);
    let frame = |frame: &symbols::Frame| {
        json!({
            "function": some(frame.function),
            "file": some(frame.file),
            "line": (frame.line != 0).then_some(frame.line),
            "module": some(frame.module),
            "offset": address(frame.offset as usize),
        })
    };
    frames.iter().map(frame).collect()
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

//! The life of one object, as it happens: object=N.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::names::{NONE, Name};
use crate::object::Act;
use crate::process::Process;
use crate::world::World;
use crate::{format, text};

/// An event in it.
pub struct Line {
    /// What was done.
    pub act: &'static str,
    /// By whom.
    pub by: Act,
    /// The time, in nanoseconds.
    pub time: u64,
    /// The count after it.
    pub count: u32,
    /// Who takes or gives, by name.
    pub holder: Name,
}

impl Line {
    /// A line without a holder.
    pub fn new(act: &'static str, by: Act, time: u64, count: u32) -> Self {
        Self { act, by, time, count, holder: NONE }
    }
}

/// Writes `line` if it is about the object that was asked for.
pub fn note(world: &World, process: &Process, serial: u64, line: &Line) {
    if world.options.object != Some(serial) {
        return;
    }
    let value = || json(world, serial, line);
    format::tell(world, process.pid, value, || plain(world, serial, line));
}

fn plain(world: &World, serial: u64, line: &Line) -> String {
    let mut entry = String::new();
    let seconds = line.time as f64 / 1e9;
    let holder = world.code.names.get(line.holder);
    let holder = holder.map(|name| format!(" by \"{name}\"")).unwrap_or_default();
    let _ = writeln!(
        entry,
        "object #{serial}, {seconds:.6} s: {}{holder}, count {}, {}",
        line.act,
        line.count,
        text::thread(world, line.by.thread),
    );
    text::stack(world, &mut entry, line.by.stack, "    ");
    entry
}

fn json(world: &World, serial: u64, line: &Line) -> Value {
    json!({
        "kind": "event",
        "object": serial,
        "time": line.time as f64 / 1e9,
        "act": line.act,
        "holder": world.code.names.get(line.holder),
        "count": line.count,
        "thread": crate::json::thread(world, line.by.thread),
        "stack": crate::json::stack(world, line.by.stack),
    })
}

//! Reports for people.
//!
//! | file | what it has |
//! |---|---|
//! | held.rs | the references that are held |
//! | verdict.rs | the sentences of a verdict, which documents have, too |
//! | misuse.rs | a misuse; who holds one object |
//! | here | shorter reports, and the words that all of them share |

use std::fmt::Write as _;

use crate::balance::Left;
use crate::clock::{self, Time};
use crate::code::Id;
use crate::object::Act;
use crate::process::Process;
use crate::stale::Lookups;
use crate::symbols::Frame;
use crate::world::World;

mod held;
mod misuse;
mod verdict;

pub use held::{SINGLETON, leaks, unexited};
pub use misuse::{holders, misuse};
pub use verdict::{UNCERTAIN, UNKNOWN, rival, usually};

/// The most lines of one list in a report: stacks of one type, types that are owned, call sites. A line says how many
/// more there are.
const MOST: usize = 32;

/// Lookups in pools that found no object.
pub fn stale_handles(world: &World, process: &Process) -> String {
    let (all, stacks) = process.stale.gather();
    let (count, never) = (number(all.all, "lookup"), never_given(all));
    let mut out = format!("kref-track: {count} by handle found no object{never}\n");
    for &(id, of) in stacks.iter().take(MOST) {
        let _ = writeln!(out, "  {}{}:", number(of.all, "lookup"), never_given(of));
        stack(world, &mut out, id, "    ");
    }
    if stacks.len() > MOST {
        let _ = writeln!(out, "  ... and {} more stacks", stacks.len() - MOST);
    }
    out
}

fn never_given(of: Lookups) -> String {
    match of.never_given {
        0 => String::new(),
        n => format!(", {n} of them by a number that is no handle of the pool"),
    }
}

/// The references that a region has left behind.
pub fn left_behind(world: &World, begun: Act, all: &[Left]) -> String {
    let count = all.iter().map(|left| left.count).sum();
    let were = if count == 1 { "was" } else { "were" };
    let mut out = format!("kref-track: {} {were} left behind\n", number(count, "reference"));
    for left in all {
        let objects = match left.objects {
            1 => format!("on object #{} at {:#x}", left.example.0, left.example.1),
            count => format!("on {count} objects, as #{} at {:#x}", left.example.0, left.example.1),
        };
        let references = number(left.count, "reference");
        _ = writeln!(out, "  {references}, {objects}, {}, taken by:", left.of);
        stack(world, &mut out, left.stack, "    ");
    }
    act(world, &mut out, "since kref_balance_begin() by", begun);
    out
}

fn act(world: &World, out: &mut String, what: &str, by: Act) {
    let _ = writeln!(out, "  {what} {}, {} ago:", thread(world, by.thread), since(world, by.time));
    stack(world, out, by.stack, "    ");
}

fn since(world: &World, time: Time) -> String {
    duration(clock::age(world.now.get(), time))
}

/// A thread, by our number and the kernel's.
pub fn thread(world: &World, number: u32) -> String {
    match world.threads.kernel_number(number) {
        Some(tid) => format!("thread {number} ({tid})"),
        None => format!("thread {number}"),
    }
}

/// The frames, one in a line.
pub fn stack(world: &World, out: &mut String, id: Id, indent: &str) {
    let frames = world.code.described(id);
    if frames.is_empty() {
        let _ = writeln!(out, "{indent}(stack not recorded)");
    }
    for frame in frames {
        let tail = if frame.is_tail { " (tail call)" } else { "" };
        let _ = writeln!(out, "{indent}{}{tail}", place(frame));
    }
}

/// A frame: function and line, or what there is of these.
pub fn place(frame: &Frame) -> String {
    match (frame.function, frame.file) {
        ("", "") => format!("{}+{:#x}", frame.module, frame.offset),
        (function, "") => {
            format!("{function}+{:#x} ({}+{:#x})", frame.into, frame.module, frame.offset)
        }
        ("", file) => format!("{file}:{}", frame.line),
        (function, file) => format!("{function} {file}:{}", frame.line),
    }
}

/// Milliseconds for people.
pub fn duration(milliseconds: u32) -> String {
    match milliseconds {
        ms @ ..1000 => format!("{ms} ms"),
        ms @ ..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        ms @ ..3_600_000 => format!("{} min", ms / 60_000),
        ms => format!("{:.1} h", ms as f64 / 3_600_000.0),
    }
}

/// "1 object", "2 objects".
pub fn number(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

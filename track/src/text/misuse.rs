//! The report of a misuse, and that of one object.

use std::fmt::Write as _;

use super::verdict::UNKNOWN;
use super::{act, number, place, stack, thread};
use crate::code::Id;
use crate::held::{Held, Pair};
use crate::leaks;
use crate::misuse::{Kind, Offence};
use crate::process::Process;
use crate::world::World;

/// A misuse.
pub fn misuse(world: &World, offence: &Offence) -> String {
    let mut out = String::new();
    let holder = world.code.names.get(offence.holder);
    let holder = holder.map(|name| format!(": \"{name}\"")).unwrap_or_default();
    let _ = writeln!(out, "kref-track: {}{holder}", offence.kind.sentence());
    let _ = writeln!(out, "  {}", object(world, offence));
    match offence.kind {
        Kind::WriteAfterRelease => {
            let distance = offence.place.wrapping_sub(offence.address) as i64;
            let _ = writeln!(
                out,
                "  the first change is {distance} bytes from the count; it is not known who wrote, and when"
            );
        }
        _ => act(world, &mut out, "by", offence.by),
    }
    if let Some(released) = offence.released {
        act(world, &mut out, if offence.freed { "freed by" } else { "released by" }, released);
    }
    if let Some(killed) = offence.killed {
        act(world, &mut out, "killed by", killed);
    }
    if let Some(created) = offence.created {
        act(world, &mut out, "created by", created);
    }
    if matches!(
        offence.kind,
        Kind::WrongHolder
            | Kind::Overflow
            | Kind::Watermark
            | Kind::InitTwice
            | Kind::FreeAlive
            | Kind::Overwritten
            | Kind::FreedWhileHeld
            | Kind::MovedWhileHeld
            | Kind::BadPublish
            | Kind::BadFree
            | Kind::PoolInUse
            | Kind::NoExit
            | Kind::PutOfInitial
            | Kind::ExitWhileAlive
            | Kind::BadReinit
    ) {
        held(world, &mut out, &offence.held);
    }
    given_back(world, &mut out, &offence.given_back);
    out
}

/// Who holds the object at an address.
pub fn holders(world: &World, process: &Process, address: u64) -> String {
    let table = &process.table;
    let Some(object) = table.find(address).map(|at| table.object(at)) else {
        return format!(
            "kref-track: no tracked object is at {address:#x} in process {}\n",
            process.pid
        );
    };
    let count = table.held(object).map(|held| u64::from(held.count)).sum();
    let name = leaks::name(world, leaks::key(world, object));
    let references = number(count, "reference");
    let mut out = format!(
        "kref-track: {references} on object #{} at {address:#x}, {name}\n",
        object.serial()
    );
    act(world, &mut out, "created by", object.created());
    match table.released(object) {
        Some(by) => act(world, &mut out, "released by", by),
        None => held(world, &mut out, &table.holders(object)),
    }
    out
}

/// The puts of an object, each in a line, with the get that it is taken to undo.
fn given_back(world: &World, out: &mut String, pairs: &[Pair]) {
    const TOP: usize = 8;
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "  its puts until then, one of which may be the wrong one:");
    for pair in pairs.iter().take(TOP) {
        let get = match pair.get {
            0 => "the creator's reference".to_string(),
            get => format!("a get of {}", short(world, get)),
        };
        let count = number(pair.count.into(), "put");
        let _ = writeln!(out, "    {count} of {}, for {get}", short(world, pair.put));
    }
    if pairs.len() > TOP {
        let _ = writeln!(out, "    ... and {} more", pairs.len() - TOP);
    }
}

/// The two innermost functions of a stack.
fn short(world: &World, id: Id) -> String {
    match world.code.described(id) {
        [] => UNKNOWN.to_string(),
        [only] => place(only),
        [inner, outer, ..] => format!("{}, called by {}", place(inner), place(outer)),
    }
}

fn object(world: &World, offence: &Offence) -> String {
    match (offence.serial, offence.type_name(&world.code)) {
        (0, _) => format!("count at {:#x}", offence.address),
        (serial, None) => format!("object #{serial} at {:#x}", offence.address),
        (serial, Some(name)) => format!("object #{serial} at {:#x}, {name}", offence.address),
    }
}

/// Who holds references, those with the most first.
fn held(world: &World, out: &mut String, groups: &[Held]) {
    const TOP: usize = 5;
    let mut groups = groups.to_vec();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    if groups.is_empty() {
        let _ = writeln!(out, "  nobody holds a reference");
    }
    for group in groups.iter().take(TOP) {
        let holder = match (world.code.names.get(group.holder), group.is_first) {
            (Some(name), _) => format!("\"{name}\""),
            (None, true) => "the creator".to_string(),
            (None, false) => thread(world, group.by.thread),
        };
        let count = number(group.count.into(), "reference");
        let _ = writeln!(out, "  held: {count} by {holder}, taken:");
        stack(world, out, group.by.stack, "    ");
    }
}

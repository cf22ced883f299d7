//! Reports for machines, as JSON values: track/schema.json describes them. The documents are made of these, too.

use serde_json::{Value, json};

use crate::balance::Left;
use crate::clock::{self, Time};
use crate::code::Id;
use crate::evidence::{Blame, Line};
use crate::held::{Held, Pair};
use crate::leaks::{Leaks, Reference, Type, Unexited};
use crate::misuse::Offence;
use crate::object::Act;
use crate::process::Process;
use crate::reach::owned::Owned;
use crate::reach::{Class, Search};
use crate::report::Dropped;
use crate::symbols::Frame;
use crate::waits::Wait;
use crate::world::World;

/// What is held.
pub fn leaks(world: &World, process: &Process, leaks: &Leaks, when: &str) -> Value {
    let types: Vec<_> = leaks.types.iter().map(|of| one_type(world, of, leaks.now)).collect();
    json!({
        "kind": "held",
        "when": when,
        "since_checkpoint": process.checkpoints > 0,
        "process": process.pid,
        "objects": leaks.objects,
        "references": leaks.references,
        "created": process.table.created,
        "types": types,
        "owned": leaks.owned.iter().map(owned).collect::<Vec<_>>(),
        "search": leaks.search.map(search),
        "lost": leaks.lost,
        "shared": leaks.shared,
        "unexited": leaks.unexited.iter().map(|of| unexited(world, of)).collect::<Vec<_>>(),
        "dropped": dropped(world, process),
    })
}

/// Objects of one type that others own.
fn owned(of: &Owned) -> Value {
    json!({ "type": of.name, "objects": of.objects, "references": of.references })
}

fn search(search: Search) -> Value {
    json!({ "bytes": search.bytes, "complete": !search.is_cut })
}

/// How many objects are held in which way.
fn reach(of: &Type) -> Value {
    let count = |class| (Class::name(class), of.classes.get(&class).copied().unwrap_or(0).into());
    let counts = Class::ALL.map(count);
    Value::Object(counts.map(|(name, count)| (name.to_string(), count)).into_iter().collect())
}

fn dropped(world: &World, process: &Process) -> Value {
    let dropped = Dropped::now(world, process);
    json!({
        "objects": dropped.objects,
        "stacks": dropped.stacks,
        "events": dropped.events,
        "memory": world.used(),
    })
}

fn unexited(world: &World, of: &Unexited) -> Value {
    json!({
        "count": of.count,
        "example": { "object": of.example.0, "address": address(of.example.1) },
        "stack": stack(world, of.stack),
    })
}

fn one_type(world: &World, of: &Type, now: Time) -> Value {
    let held: Vec<_> = of.held.iter().map(|held| reference(world, held, now)).collect();
    let sites: Vec<_> = of
        .sites
        .iter()
        .map(
            |(&id, &(gets, puts))| json!({ "gets": gets, "puts": puts, "stack": stack(world, id) }),
        )
        .collect();
    json!({
        "type": of.name,
        "objects": of.objects,
        "references": of.references,
        "reach": reach(of),
        "singleton": of.is_singleton(),
        "certain": of.is_certain(),
        "unsure_puts": of.unsure,
        "unrecorded_gets": of.unrecorded,
        "held": held,
        "balance": sites,
    })
}

fn reference(world: &World, held: &Reference, now: Time) -> Value {
    let threads: Vec<_> = held.threads.keys().map(|&number| thread(world, number)).collect();
    let age = |time: Time| f64::from(clock::age(now, time)) / 1e3;
    json!({
        "holder": held.holder,
        "initial": held.is_first,
        "count": held.count,
        "objects": held.objects,
        "example": { "object": held.example.0, "address": address(held.example.1) },
        "oldest": age(held.times.0),
        "newest": age(held.times.1),
        "threads": threads,
        "stack": stack(world, held.stack),
        "verdict": held.blame.as_ref().map(|blame| verdict(world, blame)),
    })
}

/// What the evidence says of references.
fn verdict(world: &World, blame: &Blame) -> Value {
    let rival = blame.rival.as_ref().map(|(at, is_first, puts)| {
        json!({ "line": line(world, at), "initial": is_first, "usual": usual(world, puts) })
    });
    json!({
        "certainty": blame.certainty.name(),
        "frame": blame.frame,
        "usual": usual(world, &blame.usual),
        "rival": rival,
        "consequence": blame.is_consequence,
    })
}

/// Where references are given back most often.
fn usual(world: &World, puts: &[(Line, u64)]) -> Value {
    let put = |(at, count): &(Line, u64)| json!({ "count": count, "stack": stack(world, at.stack), "frame": at.frame });
    puts.iter().map(put).collect()
}

fn line(world: &World, at: &Line) -> Value {
    json!({ "stack": stack(world, at.stack), "frame": at.frame })
}

/// Lookups in pools that found no object.
pub fn stale_handles(world: &World, process: &Process) -> Value {
    let (all, stacks) = process.stale.gather();
    let by: Vec<_> = stacks
        .into_iter()
        .map(|(id, of)| {
            json!({
                "lookups": of.all,
                "never_given": of.never_given,
                "stack": stack(world, id),
            })
        })
        .collect();
    json!({
        "kind": "stale-handles",
        "process": process.pid,
        "lookups": all.all,
        "never_given": all.never_given,
        "by": by,
    })
}

/// The references that a region has left behind.
pub fn left_behind(world: &World, process: &Process, begun: Act, all: &[Left]) -> Value {
    let left = all.iter().map(|left| {
        json!({
            "type": left.of,
            "references": left.count,
            "objects": left.objects,
            "example": { "object": left.example.0, "address": address(left.example.1) },
            "stack": stack(world, left.stack),
        })
    });
    json!({
        "kind": "balance",
        "process": process.pid,
        "begun": act(world, begun),
        "left": left.collect::<Vec<_>>(),
    })
}

/// A misuse.
pub fn misuse(world: &World, process: &Process, offence: &Offence) -> Value {
    let names = &world.code.names;
    let act = |by: Act| act(world, by);
    let held: Vec<_> = offence.held.iter().map(|held| group(world, held)).collect();
    json!({
        "kind": "misuse",
        "misuse": offence.kind.name(),
        "message": offence.kind.sentence(),
        "process": process.pid,
        "object": (offence.serial != 0).then_some(offence.serial),
        "address": address(offence.address),
        "type": offence.type_name(&world.code),
        "holder": names.get(offence.holder),
        "by": act(offence.by),
        "released": offence.released.map(act),
        "freed": offence.freed,
        "place": (offence.place != 0).then(|| address(offence.place)),
        "killed": offence.killed.map(act),
        "created": offence.created.map(act),
        "held": held,
        "given_back": offence.given_back.iter().map(|pair| given_back(world, pair)).collect::<Vec<_>>(),
    })
}

fn given_back(world: &World, pair: &Pair) -> Value {
    json!({
        "count": pair.count,
        "get": (pair.get != 0).then(|| stack(world, pair.get)),
        "put": stack(world, pair.put),
    })
}

fn group(world: &World, group: &Held) -> Value {
    json!({
        "holder": world.code.names.get(group.holder),
        "initial": group.is_first,
        "count": group.count,
        "by": act(world, group.by),
    })
}

/// Who did something, where, and how long ago.
pub fn act(world: &World, act: Act) -> Value {
    let age = f64::from(clock::age(world.now.get(), act.time)) / 1e3;
    json!({
        "thread": thread(world, act.thread),
        "age": age,
        "stack": stack(world, act.stack),
    })
}

/// What a thread waits for.
pub fn waiting(tid: i32, wait: &Wait) -> Value {
    let (place, holder) = match *wait {
        Wait::Mutex { address, holder } => (Some(address), Some(holder)),
        Wait::Futex(address) => (Some(address), None),
        _ => (None, None),
    };
    json!({
        "tid": tid,
        "for": wait.name(),
        "address": place.map(address),
        "holder": holder,
    })
}

fn address(address: u64) -> String {
    format!("{address:#x}")
}

/// A thread, by our number and the kernel's.
pub fn thread(world: &World, number: u32) -> Value {
    json!({ "number": number, "tid": world.threads.kernel_number(number) })
}

/// The frames, the innermost first.
pub fn stack(world: &World, id: Id) -> Value {
    let frame = |frame: &Frame| {
        json!({
            "function": some(frame.function),
            "file": some(frame.file),
            "line": (frame.line != 0).then_some(frame.line),
            "module": some(frame.module),
            "offset": address(frame.offset),
            "tail_call": frame.is_tail,
        })
    };
    world.code.described(id).iter().map(frame).collect()
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

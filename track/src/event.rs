//! What a recorder tells, worked into the table of its process.

use wire::record::Kind as What;

use crate::chronicle::{self, Line};
use crate::evidence;
use crate::leaks;
use crate::memory;
use crate::misuse::{self, Kind, Offence};
use crate::names::{NONE, Name};
use crate::object::{Act, LOST, PERCPU, RELEASED, REPORTED};
use crate::percpu;
use crate::process::Process;
use crate::slab::At;
use crate::table::Undone;
use crate::world::World;

/// An event of a process, with our number of its stack.
pub struct Happened {
    /// What happened.
    pub what: What,
    /// The address of the count.
    pub address: u64,
    /// Who did it.
    pub by: Act,
    /// The stack's number, by the recorder.
    pub recorded: u32,
    /// The time, in nanoseconds.
    pub time: u64,
    /// The count.
    pub count: u32,
    /// The release function's address, or the kind of a violation.
    pub detail: u64,
    /// The name of the holder or of the type.
    pub name: Name,
}

/// Works on an event.
pub fn apply(world: &World, process: &mut Process, event: &Happened) {
    match event.what {
        What::Created => {
            if let Some(at) = create(world, process, event) {
                evidence::begin(world, process, at, event);
            }
        }
        What::Got => get(world, process, event),
        What::Putting => put(world, process, event),
        What::Released => end(world, process, event),
        What::Violated => misuse::violated(world, process, event),
        What::Missed => process.stale.count(world, event.by.stack, event.count != 0),
        What::Percpu => percpu::apply(world, process, event),
        What::Freed => memory::freed(world, process, event),
        What::Moved => memory::moved(world, process, event),
        What::Written => memory::written(world, process, event),
        What::Checkpoint => process.checkpoint(),
        What::Begins => process.regions.begin(event.by, event.name),
        _ => {}
    }
    let act = match event.what {
        What::Created => "created",
        What::Got => "get",
        What::Putting => "put",
        What::Released => "release",
        _ => return,
    };
    world.threads.note(act, event.address, event.by);
}

/// An object begins. Returns its number, unless there is no memory.
pub fn create(world: &World, process: &mut Process, event: &Happened) -> Option<At> {
    let (address, by) = (event.address, event.by);
    if let Some(at) = process.table.find(address) {
        let before = *process.table.object(at);
        let is_over = before.is(RELEASED) && !before.is(PERCPU) || before.is(LOST);
        let is_known = !process.table.is_inherited(&before) && !world.is_doubtful(before.created());
        let offence = (is_known && !is_over).then(|| {
            let kind = Kind::created_again(&before, by, &world.code);
            Offence::new(kind, by, process, at)
        });
        process.table.remove(at);
        offence.iter().for_each(|offence| misuse::report(world, process, offence));
    }
    let mark = process.mark;
    let at = process.table.insert(address, by, event.name, mark)?;
    process.regions.got(&process.table, at, by, true);
    count(world, process, at, NONE, true);
    let serial = process.table.object(at).serial();
    chronicle::note(world, process, serial, &Line::new("created", by, event.time, event.count));
    Some(at)
}

/// Counts a get or a put for `--live`.
fn count(world: &World, process: &Process, at: At, holder: Name, is_get: bool) {
    if world.rates.are_counted() {
        let key = leaks::key(world, process.table.object(at));
        world.rates.count(process.number, key, holder, is_get);
    }
}

fn get(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else {
        return misuse::no_object(world, process, event);
    };
    let object = *process.table.object(at);
    if object.is(RELEASED) {
        late(world, process, Kind::GetAfterRelease, at, event.by);
    } else {
        process.regions.got(&process.table, at, event.by, false);
        process.table.get(at, event.by, event.name, process.mark);
        evidence::note(world, process, at, event, true);
        count(world, process, at, event.name, true);
        watermark(world, process, at, event);
        let code = &world.code;
        if let (Some(stack), Some(created)) =
            (code.get(event.by.stack), code.get(object.created().stack))
            && !created.is_looked_up.get()
            && stack.leading(code).by_lookup
        {
            created.is_looked_up.set(true);
        }
    }
    let line = Line { holder: event.name, ..Line::new("get", event.by, event.time, event.count) };
    chronicle::note(world, process, object.serial(), &line);
}

/// An object may have got the Nth reference of --watermark N: the report shows who holds them, once for each type.
fn watermark(world: &World, process: &mut Process, at: At, event: &Happened) {
    if world.options.watermark.is_none_or(|most| event.count < most) {
        return;
    }
    let object = process.table.object(at);
    // The type has another key as long as no put has told its release function.
    let keys = [leaks::key(world, object), (NONE, 0, object.created().stack)];
    let is_named = object.type_name() != NONE;
    let keys = &keys[..if is_named { 1 } else { 2 }];
    let is_new = !keys.iter().any(|key| process.high.contains(key));
    process.high.extend(keys);
    if is_new {
        misuse::report(world, process, &Offence::new(Kind::Watermark, event.by, process, at));
    }
}

fn put(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else {
        return misuse::no_object(world, process, event);
    };
    let serial = process.table.object(at).serial();
    if process.table.object(at).is(RELEASED) {
        late(world, process, Kind::PutAfterRelease, at, event.by);
    } else {
        live_put(world, process, at, event);
    }
    let count = event.count.saturating_sub(1);
    let line = Line { holder: event.name, ..Line::new("put", event.by, event.time, count) };
    chronicle::note(world, process, serial, &line);
}

fn live_put(world: &World, process: &mut Process, at: At, event: &Happened) {
    let code = &world.code;
    let release = process.function(event.detail, code);
    let object = process.table.object_mut(at);
    if release != 0 {
        object.release = release;
        if let Some(created) = code.get(object.created().stack) {
            created.release.set(release);
        }
    }
    count(world, process, at, event.name, false);
    let held = match code.names.get(event.name) {
        Some(_) => process.table.holders(process.table.object(at)),
        None => Vec::new(),
    };
    let is_put_of_initial =
        percpu::is_put_of_initial(world, &process.table, process.table.object(at), event);
    if is_put_of_initial && !process.table.object(at).is(REPORTED) {
        process.table.object_mut(at).set(REPORTED, true);
        let offence = Offence::new(Kind::PutOfInitial, event.by, process, at);
        misuse::report(world, process, &offence);
    }
    evidence::note(world, process, at, event, false);
    let undone = process.regions.put(&mut process.table, at, event.by, |table| {
        table.put(at, event.by, event.name, code, &world.distances)
    });
    let is_doubtful = world.is_doubtful(process.table.object(at).created());
    if undone == Undone::WrongHolder && !is_doubtful {
        let mut offence = Offence::new(Kind::WrongHolder, event.by, process, at);
        (offence.holder, offence.held) = (event.name, held);
        misuse::report(world, process, &offence);
    }
}

/// A get or put on a released object: told once for each object.
fn late(world: &World, process: &mut Process, kind: Kind, at: At, by: Act) {
    let object = *process.table.object(at);
    // What a parent did after a fork that nothing told of is not the child's.
    let is_guessed = process.is_guessed() && process.table.is_inherited(&object);
    if !object.is(REPORTED) && !is_guessed && !world.is_doubtful(object.created()) {
        process.table.object_mut(at).set(REPORTED, true);
        let offence = Offence::new(kind, by, process, at);
        misuse::report(world, process, &offence);
    }
}

fn end(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else { return };
    let object = process.table.object(at);
    if object.is(RELEASED) || percpu::has_revived(world, &process.table, object) {
        return;
    }
    let release = process.function(event.detail, &world.code);
    process.table.object_mut(at).release = release;
    evidence::fold(world, process, at);
    process.table.end(at, event.by);
    let object = process.table.object_mut(at);
    let object = *object;
    process.ended.insert(leaks::key(world, &object));
    let is_watched = !object.is(PERCPU | REPORTED);
    if is_watched && world.endings.is_foreign(object.created().stack, release, &world.code) {
        let offence = Offence::new(Kind::OtherRelease, event.by, process, at);
        misuse::report(world, process, &offence);
    }
    let line = Line::new("released", event.by, event.time, 0);
    chronicle::note(world, process, object.serial(), &line);
    // Objects that nobody looks up may well end in somebody else's lookup.
    let created = world.code.get(object.created().stack);
    if created.is_some_and(|stack| stack.is_looked_up.get())
        && let Some(stack) = world.code.get(event.by.stack)
        && stack.described(&world.code).in_lookup
    {
        let offence = Offence::new(Kind::EndInLookup, event.by, process, at);
        misuse::report(world, process, &offence);
    }
}

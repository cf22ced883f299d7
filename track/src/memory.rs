//! What happens to the memory of objects: free() and realloc() while they are referenced, writes after their release.

use crate::chronicle::{self, Line};
use crate::event::Happened;
use crate::misuse::{self, Kind, Offence};
use crate::object::{FREED, LOST, PERCPU, RELEASED, REPORTED};
use crate::process::Process;
use crate::slab::At;
use crate::world::World;

/// free() of memory with a count in it that libkref says is referenced.
pub fn freed(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else { return };
    let object = *process.table.object(at);
    let kind = match object {
        _ if object.is(LOST) => return,
        _ if object.is(PERCPU) => Kind::NoExit,
        _ if object.is(RELEASED) => return,
        _ if process.table.was_shared(&object) => Kind::FreedWhileHeld,
        _ => Kind::FreedUnshared,
    };
    tell(world, process, at, kind, event);
    // Nobody needs to know of the mistake in a constructor what a later get or put is.
    let is_news = kind == Kind::FreedUnshared && !object.is(REPORTED);
    match kind {
        Kind::NoExit => process.table.exit(at, event.by),
        _ => process.table.end(at, event.by),
    }
    let freed = process.table.object_mut(at);
    freed.set(FREED, true);
    freed.set(REPORTED, !is_news);
    chronicle::note(
        world,
        process,
        object.serial(),
        &Line::new("freed", event.by, event.time, event.count),
    );
}

/// realloc() has moved memory with a count in it. The object is where it is now: its only holder may move it.
pub fn moved(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else { return };
    let object = *process.table.object(at);
    if object.is(RELEASED) && !object.is(PERCPU) {
        return;
    }
    let held: u32 = process.table.held(&object).map(|held| held.count).sum();
    if held > 1 && !object.is(LOST) {
        tell(world, process, at, Kind::MovedWhileHeld, event);
    }
    if let Some(before) = process.table.find(event.detail).filter(|&before| before != at) {
        process.table.remove(before);
    }
    process.table.relocate(at, event.detail);
    chronicle::note(
        world,
        process,
        object.serial(),
        &Line::new("moved", event.by, event.time, held),
    );
}

/// A write into memory that was freed after the last put. It is not known when.
pub fn written(world: &World, process: &mut Process, event: &Happened) {
    let Some(at) = process.table.find(event.address) else { return };
    if process.table.object(at).is(RELEASED) {
        tell(world, process, at, Kind::WriteAfterRelease, event);
    }
}

fn tell(world: &World, process: &mut Process, at: At, kind: Kind, event: &Happened) {
    let object = *process.table.object(at);
    let is_own = !process.table.is_inherited(&object) && !world.is_doubtful(object.created());
    if is_own && !object.is(REPORTED) {
        process.table.object_mut(at).set(REPORTED, true);
        let offence = Offence::new(kind, event.by, process, at);
        misuse::report(world, process, &Offence { place: event.detail, ..offence });
    }
}

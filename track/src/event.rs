//! What libkref tells, worked into the table.

use std::sync::atomic::Ordering::Relaxed;

use crate::chronicle::{self, Line};
use crate::clock::{self, Time};
use crate::known::Trail;
use crate::misuse::{self, Kind, Offence};
use crate::object::{Act, Holder, Object, TypeName, Undone};
use crate::seam::Caller;
use crate::thread::{self, Inside};
use crate::unwind::{self, Walk};
use crate::{options, stacks, stale, table};

/// What happened.
#[derive(Clone, Copy)]
pub enum What {
    /// kref_init() or kref_pool_publish(): the name of the type.
    Created(TypeName),
    /// A get: the count after it, and who holds it.
    Got(u32, Holder),
    /// A put is about to happen: the release function, the count before it, and whose it was.
    Putting(usize, u32, Holder),
    /// That was the last one.
    Released(usize),
    /// Misuse, by its number in kref.h.
    Violated(i32),
    /// A lookup found no object: whether its pool has given the handle.
    Missed(bool),
}

/// An event that waits for the call it interrupted.
pub struct Queued {
    what: What,
    address: usize,
    walk: Walk,
    time: Time,
}

impl Queued {
    /// Works on it, in the outermost call.
    pub fn apply(self, inside: &mut Inside) {
        let stack = stacks::intern(&self.walk, inside);
        let by = Act { stack, thread: inside.state().number, time: self.time };
        apply(self.what, self.address, by, inside);
    }
}

/// Takes an event up: at once, or if it interrupted the tracker, when that is done. False: it is an
/// object that there is no memory to track.
pub fn happen(what: What, address: usize, caller: Caller) -> bool {
    let Some(mut inside) = thread::enter() else { return false };
    let time = clock::now();
    if inside.is_outermost() {
        let stack = stack(what, address, caller, &mut inside);
        let by = Act { stack, thread: inside.state().number, time };
        return apply(what, address, by, &mut inside);
    }
    let walk = walk(caller, &mut inside, &mut Trail::new());
    inside.queue(Queued { what, address, walk, time });
    true
}

fn walk(caller: Caller, inside: &mut Inside, trail: &mut Trail) -> Walk {
    match inside.cache() {
        Some(cache) => unwind::walk(caller, cache, options::options().depth, trail),
        None => Walk::only(caller),
    }
}

/// The stack of this event. A put and the release that it leads to are one stack: one walk is enough.
fn stack(what: What, address: usize, caller: Caller, inside: &mut Inside) -> stacks::Id {
    if let (What::Released(_), (put, stack)) = (what, inside.own().last_put)
        && put == address
    {
        return stack;
    }
    let stack = inside.own().walks.find(caller).unwrap_or_else(|| new_stack(caller, inside));
    if let What::Putting(..) = what {
        inside.own().last_put = (address, stack);
    }
    stack
}

#[cold]
fn new_stack(caller: Caller, inside: &mut Inside) -> stacks::Id {
    let mut trail = Trail::new();
    let walk = walk(caller, inside, &mut trail);
    let stack = stacks::intern(&walk, inside);
    inside.own().walks.keep(caller, &trail, stack);
    stack
}

fn apply(what: What, address: usize, by: Act, inside: &mut Inside) -> bool {
    match what {
        What::Created(type_name) => return create(address, by, type_name),
        What::Got(count, holder) => get(address, by, count, holder),
        What::Putting(release, count, holder) => put(address, by, release, count, holder, inside),
        What::Released(release) => end(address, by, release),
        What::Violated(kind) => misuse::violated(kind, address, by),
        What::Missed(given) => stale::count(by.stack, given),
    }
    true
}

fn create(address: usize, by: Act, type_name: TypeName) -> bool {
    let (serial, before) = table::insert(address, by, type_name.kept());
    if let Some(before) = before.filter(|object| object.released.is_none() && !object.lost) {
        // Unless the end of that object is an event which waits in some thread's queue.
        if !thread::events_are_pending() {
            misuse::report(&Offence::new(Kind::created_again(&before, by), address, by, &before));
        }
    }
    if let Some(serial) = serial {
        chronicle::note(serial, Line { act: "created", by, count: 1, holder: Holder(0) });
    }
    serial.is_some()
}

fn get(address: usize, by: Act, count: u32, holder: Holder) {
    let outcome = table::with(address, |object| {
        if object.released.is_none() {
            object.get(by, holder);
            if stacks::get(by.stack).is_some_and(|stack| stack.by_lookup)
                && let Some(created) = stacks::get(object.created.stack)
            {
                created.is_looked_up.store(true, Relaxed);
            }
            return (object.serial, None);
        }
        (object.serial, late(Kind::GetAfterRelease, address, by, object))
    });
    let Some((serial, offence)) = outcome else { return misuse::no_object(address, by) };
    offence.iter().for_each(misuse::report);
    chronicle::note(serial, Line { act: "get", by, count, holder });
}

fn put(address: usize, by: Act, release: usize, count: u32, holder: Holder, inside: &mut Inside) {
    let outcome = table::with(address, |object| {
        if object.released.is_some() {
            return (object.serial, late(Kind::PutAfterRelease, address, by, object));
        }
        object.release = release;
        let held: Vec<_> = if holder.0 == 0 { Vec::new() } else { object.held().collect() };
        let undone = object.put(by, holder, inside.own());
        if let Some(created) = stacks::get(object.created.stack)
            && created.release.load(Relaxed) != release
        // a line that all cores share
        {
            created.release.store(release, Relaxed);
        }
        let wrong = (undone == Undone::WrongHolder).then(|| {
            let mut offence = Offence::new(Kind::WrongHolder, address, by, object);
            offence.holder = holder.name();
            offence.held = held;
            offence
        });
        (object.serial, wrong)
    });
    let Some((serial, offence)) = outcome else { return misuse::no_object(address, by) };
    offence.iter().for_each(misuse::report);
    chronicle::note(serial, Line { act: "put", by, count: count.saturating_sub(1), holder });
}

/// A get or put on a released object: told once for each object.
fn late(kind: Kind, address: usize, by: Act, object: &mut Object) -> Option<Offence> {
    let first = !object.reported;
    object.reported = true;
    first.then(|| Offence::new(kind, address, by, object))
}

fn end(address: usize, by: Act, release: usize) {
    let Some(serial) = table::end(address, by, release) else { return };
    chronicle::note(serial, Line { act: "released", by, count: 0, holder: Holder(0) });
    if stacks::get(by.stack).is_some_and(|stack| stack.in_lookup) {
        let offence = table::with(address, |object| {
            // Objects that nobody looks up may well end in somebody else's lookup.
            let created = stacks::get(object.created.stack)?;
            let own = created.is_looked_up.load(Relaxed);
            own.then(|| Offence::new(Kind::EndInLookup, address, by, object))
        });
        offence.flatten().iter().for_each(misuse::report);
    }
}

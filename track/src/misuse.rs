//! What is wrong at the moment at which it is done.

use crate::code::{Code, PlaceId};
use crate::event::Happened;
use crate::held::{Held, Pair};
use crate::names::{NONE, Name};
use crate::object::{Act, FREED, LOST, RELEASED, REPORTED};
use crate::process::Process;
use crate::slab::At;
use crate::stacks::Call;
use crate::world::World;
use crate::{filter, format, json, text};

mod kind;

pub use kind::Kind;

/// A misuse, with what is known of the object.
pub struct Offence {
    /// What was wrong.
    pub kind: Kind,
    /// Who did it.
    pub by: Act,
    /// The count's address.
    pub address: u64,
    /// The object's number, or 0.
    pub serial: u64,
    /// The name of the object's type, if kref_init_as() has given one.
    pub type_name: Name,
    /// The release function, or 0.
    pub release: PlaceId,
    /// Who created it.
    pub created: Option<Act>,
    /// Who released it.
    pub released: Option<Act>,
    /// Whether that was a free().
    pub freed: bool,
    /// The address of a write, or that to which an object was moved.
    pub place: u64,
    /// Who killed the percpu_ref.
    pub killed: Option<Act>,
    /// The name that a put gave.
    pub holder: Name,
    /// Who held references, in the order in which they were taken.
    pub held: Vec<Held>,
    /// What was given back, for a put too many: one of these puts may be the wrong one.
    pub given_back: Vec<Pair>,
}

impl Offence {
    /// On a known object.
    pub fn new(kind: Kind, by: Act, process: &Process, at: At) -> Self {
        let table = &process.table;
        let object = table.object(at);
        let held = table.holders(object);
        let created = object.created();
        Self {
            kind,
            by,
            address: object.address,
            serial: object.serial(),
            type_name: object.type_name(),
            release: object.release,
            created: (object.serial() != 0).then_some(created),
            released: table.released(object),
            freed: object.is(FREED),
            place: 0,
            killed: process.killed.get(object.serial()),
            holder: NONE,
            held,
            given_back: if kind.is_put() { table.given_back(object) } else { Vec::new() },
        }
    }

    /// The name of the object's type, or its release function.
    pub fn type_name(&self, code: &Code) -> Option<&'static str> {
        let release = || (self.release != 0).then(|| code.function(self.release));
        code.names.get(self.type_name).or_else(release)
    }

    fn on_stranger(kind: Kind, address: u64, by: Act) -> Self {
        Self {
            kind,
            by,
            address,
            serial: 0,
            type_name: NONE,
            release: 0,
            created: None,
            released: None,
            freed: false,
            place: 0,
            killed: None,
            holder: NONE,
            held: Vec::new(),
            given_back: Vec::new(),
        }
    }
}

/// The most misuses of one process that are reported: a misuse in a loop must not fill the disk. Later ones are neither
/// reported nor counted.
const MOST_TOLD: usize = 1024;

/// Tells of it, once for each stack.
pub fn report(world: &World, process: &mut Process, offence: &Offence) {
    let created = offence.created.map_or(offence.by.stack, |by| by.stack);
    if !filter::fits(world, offence.type_name, offence.release, created) {
        return;
    }
    let by = match offence.kind {
        Kind::WriteAfterRelease => offence.released.unwrap_or(offence.by),
        _ => offence.by,
    };
    let key = (offence.kind, by.stack);
    if process.told.len() >= MOST_TOLD || process.told.contains(&key) {
        return;
    }
    process.shared.look();
    if process.shared.has(offence.address) {
        return;
    }
    process.told.insert(key);
    process.found += u64::from(!offence.kind.is_note());
    let value = || json::misuse(world, process, offence);
    format::tell(world, process.pid, value, || text::misuse(world, offence));
}

// The numbers of enum kref_violation_kind.
const GET_ON_ZERO: u64 = 1;
const OVERFLOW: u64 = 2;
const PUT_ON_ZERO: u64 = 3;
const DEC_TO_ZERO: u64 = 4;
const SATURATED: u64 = 5;
const KILLED_TWICE: u64 = 7;
const EXIT_WHILE_ALIVE: u64 = 8;
const BAD_REINIT: u64 = 9;
const NEVER_INITIALISED: u64 = 11;
const BAD_PUBLISH: u64 = 12;
const BAD_FREE: u64 = 13;
const POOL_IN_USE: u64 = 14;

/// What libkref itself found.
pub fn violated(world: &World, process: &mut Process, event: &Happened) {
    let offence = match process.table.find(event.address) {
        Some(at) => on_known(world, process, at, event),
        None => {
            let kind = match event.detail {
                GET_ON_ZERO if is_lookup(world, event) => Kind::LookupAfterFree,
                GET_ON_ZERO => Kind::GetOnZero,
                PUT_ON_ZERO => Kind::PutOnZero,
                NEVER_INITIALISED => Kind::NeverInitialised,
                _ => return,
            };
            Some(Offence::on_stranger(kind, event.address, event.by))
        }
    };
    offence.iter().for_each(|offence| report(world, process, offence));
}

/// A kref gets more references than a tracked count can have. That is no mistake, so only `--summary` shows who holds
/// the references.
pub fn let_go(world: &World, process: &mut Process, event: &Happened) {
    if world.options.summary {
        violated(world, process, &Happened { detail: OVERFLOW, ..*event });
    } else if let Some(at) = process.table.find(event.address) {
        process.table.object_mut(at).set(LOST, true);
    }
}

fn on_known(world: &World, process: &mut Process, at: At, event: &Happened) -> Option<Offence> {
    let object = process.table.object_mut(at);
    let kind = match (event.detail, object.is(RELEASED)) {
        (OVERFLOW, _) => {
            object.set(LOST, true);
            Kind::Overflow
        }
        (GET_ON_ZERO, _) if is_lookup(world, event) => Kind::LookupAfterFree,
        (GET_ON_ZERO, true) => Kind::GetAfterRelease,
        (PUT_ON_ZERO, true) => Kind::PutAfterRelease,
        (SATURATED | NEVER_INITIALISED, true) => {
            match world.code.get(event.by.stack).map(|stack| stack.leading(&world.code).call) {
                Some(Call::Get) => Kind::GetAfterRelease,
                Some(Call::Put) => Kind::PutAfterRelease,
                _ => Kind::UseAfterRelease,
            }
        }
        (DEC_TO_ZERO, _) => Kind::DecToZero,
        (BAD_PUBLISH, _) => Kind::BadPublish,
        (BAD_FREE, _) => Kind::BadFree,
        (POOL_IN_USE, _) => Kind::PoolInUse,
        (KILLED_TWICE, _) => Kind::KilledTwice,
        (EXIT_WHILE_ALIVE, _) => Kind::ExitWhileAlive,
        (BAD_REINIT, _) => Kind::BadReinit,
        (GET_ON_ZERO | PUT_ON_ZERO | SATURATED | NEVER_INITIALISED, false) => Kind::Overwritten,
        _ => return None,
    };
    if object.is(REPORTED) {
        return None;
    }
    object.set(REPORTED, true);
    Some(Offence::new(kind, event.by, process, at))
}

/// Whether this is a get that may find a count of zero: it is a violation only in memory that was freed.
fn is_lookup(world: &World, event: &Happened) -> bool {
    let stack = world.code.get(event.by.stack);
    stack.is_some_and(|stack| stack.leading(&world.code).unless_zero)
}

/// A get or put that libkref takes for one of a tracked object, at an address that the table does not know. Not an
/// object whose kref_init() was not recorded, or that another thread of a parent has made while the parent forked.
pub fn no_object(world: &World, process: &mut Process, event: &Happened) {
    let is_whole = world.events_lost.get() == 0 && process.table.lost == 0;
    if is_whole && process.parent.is_none() {
        report(world, process, &Offence::on_stranger(Kind::NoObject, event.address, event.by));
    }
}

//! What is wrong at the moment at which it is done.

use crate::code::{Code, Id, PlaceId};
use crate::event::Happened;
use crate::names::{NONE, Name};
use crate::object::{Act, Held, LOST, Object, PERCPU, RELEASED, REPORTED};
use crate::process::Process;
use crate::slab::At;
use crate::stacks::Call;
use crate::table::Table;
use crate::world::World;
use crate::{filter, json, text};

/// The kinds. Their names are what format=json calls them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A get on a released object.
    GetAfterRelease,
    /// A put on a released object.
    PutAfterRelease,
    /// One of these.
    UseAfterRelease,
    /// kref_init() on a live object, elsewhere than the first one.
    InitTwice,
    /// kref_init() on a live object by the line that made the first one.
    FreeAlive,
    /// A put by a holder who holds nothing.
    WrongHolder,
    /// A get on a released object that nothing tracked.
    GetOnZero,
    /// A put on a released object that nothing tracked.
    PutOnZero,
    /// A get or put on a count that nobody has initialised.
    NeverInitialised,
    /// A get or put on memory that looks like a tracked count, where the tracker knows no object.
    NoObject,
    /// More references than a count can hold.
    Overflow,
    /// kref_count_dec() took the last reference.
    DecToZero,
    /// The count of a live object is none any more.
    Overwritten,
    /// The last put, by a thread that is in kref_lookup_mutex().
    EndInLookup,
    /// kref_pool_publish() of an object that is referenced already.
    BadPublish,
    /// kref_pool_free() of an object that is referenced, or was freed before.
    BadFree,
    /// kref_pool_destroy() while an object is referenced: this is the first one.
    PoolInUse,
    /// Another object begins where a percpu_ref was, without percpu_ref_exit().
    NoExit,
    /// percpu_ref_kill() of a percpu_ref that was killed.
    KilledTwice,
    /// percpu_ref_exit() of a percpu_ref that is referenced.
    ExitWhileAlive,
    /// percpu_ref_resurrect(), _reinit() or _switch_to_percpu() of a percpu_ref that does not allow it now.
    BadReinit,
}

impl Kind {
    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetAfterRelease => "get-after-release",
            Self::PutAfterRelease => "put-after-release",
            Self::UseAfterRelease => "use-after-release",
            Self::InitTwice => "init-twice",
            Self::FreeAlive => "free-alive",
            Self::WrongHolder => "holder",
            Self::GetOnZero => "get-on-zero",
            Self::PutOnZero => "put-on-zero",
            Self::NeverInitialised => "never-initialised",
            Self::NoObject => "no-object",
            Self::Overflow => "overflow",
            Self::DecToZero => "dec-to-zero",
            Self::Overwritten => "overwritten",
            Self::EndInLookup => "end-in-lookup",
            Self::BadPublish => "bad-publish",
            Self::BadFree => "bad-free",
            Self::PoolInUse => "pool-in-use",
            Self::NoExit => "no-exit",
            Self::KilledTwice => "killed-twice",
            Self::ExitWhileAlive => "exit-while-alive",
            Self::BadReinit => "bad-reinit",
        }
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::GetAfterRelease => "get on a released object",
            Self::PutAfterRelease => "put on a released object",
            Self::UseAfterRelease => "get or put on a released object",
            Self::InitTwice => "kref_init() on an object that is referenced: initialised twice",
            Self::FreeAlive => {
                "kref_init() where an object is still referenced: it was freed or reused without a put"
            }
            Self::WrongHolder => "put by a holder that holds nothing",
            Self::GetOnZero => "get on a count of zero: a released object that nothing tracked",
            Self::PutOnZero => "put on a count of zero: a released object that nothing tracked",
            Self::NeverInitialised => "get or put on a count that was never initialised",
            Self::NoObject => {
                "get or put where no object is: kref_init() was forgotten, or the object was moved"
            }
            Self::Overflow => {
                "too many references: more than 4,000,000 on one object are more than the tracker can count"
            }
            Self::DecToZero => {
                "a decrement took the last reference, and nobody released the object"
            }
            Self::Overwritten => "the count of a referenced object was overwritten",
            Self::EndInLookup => {
                "the last reference was dropped inside kref_lookup_mutex(), with its mutex held"
            }
            Self::BadPublish => {
                "kref_pool_publish() of an object whose count was touched before: the object leaks"
            }
            Self::BadFree => {
                "kref_pool_free() of an object that is referenced or free: nothing was freed"
            }
            Self::PoolInUse => {
                "kref_pool_destroy() while an object is referenced: nothing was freed"
            }
            Self::NoExit => "a percpu_ref was freed or reused without percpu_ref_exit()",
            Self::KilledTwice => {
                "percpu_ref_kill() of a percpu_ref that was killed already: nothing was done"
            }
            Self::ExitWhileAlive => {
                "percpu_ref_exit() while references are held: nothing was freed"
            }
            Self::BadReinit => {
                "percpu_ref_resurrect(), _reinit() or _switch_to_percpu() of a percpu_ref that was not killed, is \
                 still referenced, or was initialised without PERCPU_REF_ALLOW_REINIT"
            }
        }
    }

    /// Two objects at one address: the line that made both has no reason to do it twice to one object,
    /// so the memory came to it again; another line has.
    pub fn created_again(before: &Object, by: Act, code: &Code) -> Self {
        if before.is(PERCPU) {
            return Self::NoExit;
        }
        let place = |id: Id| {
            let frame = code.described(id).first()?;
            let offset = if frame.line == 0 { frame.offset } else { 0 };
            Some((frame.identity, frame.line, offset)) // one line may be inlined in several places
        };
        if place(before.created().stack) == place(by.stack) {
            Self::FreeAlive
        } else {
            Self::InitTwice
        }
    }
}

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
    /// The name that a put gave.
    pub holder: Name,
    /// Who held references, in the order in which they were taken.
    pub held: Vec<Held>,
}

impl Offence {
    /// On a known object.
    pub fn new(kind: Kind, by: Act, table: &Table, at: At) -> Self {
        let object = table.object(at);
        let mut held: Vec<_> = table.held(object).collect();
        held.reverse();
        let created = object.created();
        Self {
            kind,
            by,
            address: object.address,
            serial: object.serial,
            type_name: object.type_name,
            release: object.release,
            created: (object.serial != 0).then_some(created),
            released: table.released(object),
            holder: NONE,
            held,
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
            holder: NONE,
            held: Vec::new(),
        }
    }
}

const MOST_TOLD: usize = 1024;

/// Tells of it, once for each stack.
pub fn report(world: &World, process: &mut Process, offence: &Offence) {
    let created = offence.created.map_or(offence.by.stack, |by| by.stack);
    if !filter::fits(world, offence.type_name, offence.release, created) {
        return;
    }
    let key = (offence.kind, offence.by.stack);
    if process.told.len() >= MOST_TOLD || process.told.contains(&key) {
        return;
    }
    process.shared.look();
    if process.shared.has(offence.address) {
        return;
    }
    process.told.insert(key);
    // More references than the tracker can count are no mistake.
    process.found += u64::from(offence.kind != Kind::Overflow);
    let text = if world.options.json {
        json::misuse(world, process, offence)
    } else {
        text::misuse(world, offence)
    };
    world.output.write(process.pid, &text);
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

/// A kref gets more references than a tracked count can have. That is no mistake, but who holds so many is worth to
/// know.
pub fn let_go(world: &World, process: &mut Process, event: &Happened) {
    violated(world, process, &Happened { detail: OVERFLOW, ..*event });
}

fn on_known(world: &World, process: &mut Process, at: At, event: &Happened) -> Option<Offence> {
    let object = process.table.object_mut(at);
    let kind = match (event.detail, object.is(RELEASED)) {
        (OVERFLOW, _) => {
            object.set(LOST, true);
            Kind::Overflow
        }
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
    Some(Offence::new(kind, event.by, &process.table, at))
}

/// A get or put that libkref takes for one of a tracked object, at an address that the table does not know. Not an
/// object whose kref_init() was not recorded, or that another thread of a parent has made while the parent forked.
pub fn no_object(world: &World, process: &mut Process, event: &Happened) {
    let is_whole = world.events_lost.get() == 0 && process.table.lost == 0;
    if is_whole && process.parent.is_none() {
        report(world, process, &Offence::on_stranger(Kind::NoObject, event.address, event.by));
    }
}

//! What is wrong at the moment at which it is done.

use rustc_hash::FxBuildHasher;
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;

use crate::lock::Lock;
use crate::object::{Act, Group, Object};
use crate::options::options;
use crate::stacks::{Call, Id};
use crate::{filter, json, output, stacks, symbols, table, text, thread};

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
            Self::Overflow => "too many references",
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
        }
    }

    /// Two objects at one address: the line that made both has no reason to do it twice to one object,
    /// so the memory came to it again; another line has.
    pub fn created_again(before: &Object, by: Act) -> Self {
        let place = |id: Id| {
            let frame = stacks::get(id)?.frames.first()?;
            let offset = if frame.line == 0 { frame.offset } else { 0 };
            Some((frame.identity, frame.line, offset)) // one line may be inlined in several places
        };
        if place(before.created.stack) == place(by.stack) {
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
    pub address: usize,
    /// The object's number, or 0.
    pub serial: u64,
    /// The name of the object's type, if kref_init_as() has given one.
    pub type_name: Option<&'static str>,
    /// The release function, or 0.
    pub release: usize,
    /// Who created it.
    pub created: Option<Act>,
    /// Who released it.
    pub released: Option<Act>,
    /// The name that a put gave.
    pub holder: Option<&'static str>,
    /// Who held references.
    pub held: Vec<Group>,
}

impl Offence {
    /// On a known object.
    pub fn new(kind: Kind, address: usize, by: Act, object: &Object) -> Self {
        Self {
            kind,
            by,
            address,
            serial: object.serial,
            type_name: object.type_name,
            release: object.release,
            created: Some(object.created),
            released: object.released,
            holder: None,
            held: object.held().collect(),
        }
    }

    /// The name of the object's type, or its release function.
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_name.or_else(|| (self.release != 0).then(|| symbols::function(self.release)))
    }

    fn on_stranger(kind: Kind, address: usize, by: Act) -> Self {
        Self {
            kind,
            by,
            address,
            serial: 0,
            type_name: None,
            release: 0,
            created: None,
            released: None,
            holder: None,
            held: Vec::new(),
        }
    }
}

/// Stacks and kinds that were told: once is enough.
static TOLD: Lock<HashSet<(Kind, Id), FxBuildHasher>> =
    Lock::new(HashSet::with_hasher(FxBuildHasher));
const MOST_TOLD: usize = 1024;

/// Tells of it, once for each stack.
pub fn report(offence: &Offence) {
    let created = offence.created.map_or(offence.by.stack, |by| by.stack);
    if !filter::fits(offence.type_name, offence.release, created) {
        return;
    }
    let mut told = TOLD.lock();
    if told.len() >= MOST_TOLD || !told.insert((offence.kind, offence.by.stack)) {
        return;
    }
    drop(told);
    output::FOUND.fetch_add(1, Relaxed);
    output::write(&if options().json { json::misuse(offence) } else { text::misuse(offence) });
}

/// What libkref itself found.
pub fn violated(number: i32, address: usize, by: Act) {
    const GET_ON_ZERO: i32 = 1;
    const OVERFLOW: i32 = 2;
    const PUT_ON_ZERO: i32 = 3;
    const DEC_TO_ZERO: i32 = 4;
    const SATURATED: i32 = 5;
    const NEVER_INITIALISED: i32 = 11;
    const BAD_PUBLISH: i32 = 12;
    const BAD_FREE: i32 = 13;
    const POOL_IN_USE: i32 = 14;
    let known = table::with(address, |object| {
        let kind = match (number, object.released.is_some()) {
            (OVERFLOW, _) => {
                object.lost = true;
                Some(Kind::Overflow)
            }
            (GET_ON_ZERO, true) => Some(Kind::GetAfterRelease),
            (PUT_ON_ZERO, true) => Some(Kind::PutAfterRelease),
            (SATURATED | NEVER_INITIALISED, true) => {
                Some(match stacks::get(by.stack).map(|stack| stack.call) {
                    Some(Call::Get) => Kind::GetAfterRelease,
                    Some(Call::Put) => Kind::PutAfterRelease,
                    _ => Kind::UseAfterRelease,
                })
            }
            (DEC_TO_ZERO, _) => Some(Kind::DecToZero),
            (BAD_PUBLISH, _) => Some(Kind::BadPublish),
            (BAD_FREE, _) => Some(Kind::BadFree),
            (POOL_IN_USE, _) => Some(Kind::PoolInUse),
            (GET_ON_ZERO | PUT_ON_ZERO | SATURATED | NEVER_INITIALISED, false) => {
                Some(Kind::Overwritten)
            }
            _ => None,
        };
        let kind = kind.filter(|_| !object.reported)?;
        object.reported = true;
        Some(Offence::new(kind, address, by, object))
    });
    let offence = known.unwrap_or_else(|| {
        let kind = match number {
            GET_ON_ZERO => Kind::GetOnZero,
            PUT_ON_ZERO => Kind::PutOnZero,
            NEVER_INITIALISED => Kind::NeverInitialised,
            _ => return None,
        };
        Some(Offence::on_stranger(kind, address, by))
    });
    offence.iter().for_each(report);
}

/// A get or put that libkref takes for one of a tracked object, at an address that the table does not know.
/// Not an object whose kref_init() is an event that waits in some thread's queue, or was lost.
pub fn no_object(address: usize, by: Act) {
    if !thread::events_are_pending() && thread::LOST.load(Relaxed) == 0 {
        report(&Offence::on_stranger(Kind::NoObject, address, by));
    }
}

/// Around a fork.
pub fn before_fork() {
    TOLD.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    TOLD.give_back();
}

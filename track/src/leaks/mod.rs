//! What is held: by type, by holder, by stack.
//!
//! | file | what it has |
//! |---|---|
//! | reported.rs | which objects are in a report |
//! | gather.rs | the search through the table |
//! | of_type.rs | what is found of one type |
//! | here | what is gathered, and what tells types apart |

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::clock::Time;
use crate::code::{Id, PlaceId};
use crate::evidence::{Blame, Certainty};
use crate::names::{NONE, Name};
use crate::object::Object;
use crate::reach::owned::Owned;
use crate::reach::{Class, Search};
use crate::world::World;

mod gather;
mod of_type;
mod reported;

pub use gather::{gather, gather_with};
pub use reported::Reported;

/// References that were taken at one stack on objects of one type, by one holder.
#[derive(Clone)]
pub struct Reference {
    /// The holder's name.
    pub holder: Option<&'static str>,
    /// Where they were taken.
    pub stack: Id,
    /// Whether they are kref_init()'s.
    pub is_first: bool,
    /// How many.
    pub count: u64,
    /// On how many objects.
    pub objects: u64,
    /// One of these.
    pub example: (u64, u64),
    /// When the first and the last were taken.
    pub times: (Time, Time),
    /// The threads, by number, and how many each took.
    pub threads: BTreeMap<u32, u64>,
    /// What the evidence says. Without it the rules have chosen.
    pub blame: Option<Rc<Blame>>,
}

/// What is held of one type.
#[derive(Default)]
pub struct Type {
    /// The type's name, the release function's name, or where the objects were created.
    pub name: String,
    /// Objects that are referenced.
    pub objects: u64,
    /// References on them.
    pub references: u64,
    /// How the references were taken: those that are most likely to blame come first.
    pub held: Vec<Reference>,
    /// Puts of which it is not known what they gave back.
    pub unsure: u64,
    /// Gets for which there was no memory.
    pub unrecorded: u64,
    /// Gets and puts by stack, in the order of the stacks' numbers.
    pub sites: BTreeMap<Id, (u64, u64)>,
    /// How many of the objects are held in which way, as far as is known.
    pub classes: BTreeMap<Class, u64>,
    /// How many of its objects are owned by others, as far as is known.
    owned: u64,
    /// Whether no object of the type was released, and none is a percpu_ref.
    none_ended: bool,
}

impl Type {
    /// Whether others own all of its objects, as far as is known.
    fn is_owned(&self) -> bool {
        self.owned == self.objects
    }

    /// Whether its object is perhaps meant to live as long as the program: there was no other, a global variable leads
    /// to it, and nobody but the creator holds a reference.
    pub fn is_singleton(&self) -> bool {
        self.none_ended
            && self.classes.get(&Class::Global) == Some(&1)
            && (self.objects, self.references) == (1, 1)
            && self.held.iter().all(|held| held.is_first)
    }

    /// Whether it is known which references nobody gave back.
    pub fn is_certain(&self) -> bool {
        let is_certain = |held: &Reference| match &held.blame {
            Some(blame) => blame.certainty == Certainty::Certain,
            None => true,
        };
        self.unsure == 0 && self.held.iter().all(is_certain)
    }

    /// Objects of several types are held, and one type's leak may be the cause of the others. So a blame is not certain
    /// if such references were never seen given back. If several types may be the cause (`all`), no blame is certain.
    fn doubt(&mut self, all: bool) {
        for blame in self.held.iter_mut().filter_map(|held| held.blame.as_mut()) {
            if (all || !blame.was_seen) && blame.certainty == Certainty::Certain {
                Rc::make_mut(blame).certainty = Certainty::Likely;
            }
        }
    }

    /// Whether all of its references wait for the release of objects that are live.
    fn is_consequence(&self) -> bool {
        let follows =
            |held: &Reference| held.blame.as_ref().is_some_and(|blame| blame.is_consequence);
        self.held.iter().all(follows)
    }

    /// Types that show a cause come before those that only show what follows from it, and those with objects that are lost
    /// before those whose objects are all reachable.
    fn rank(&self) -> (bool, bool, bool, bool, bool) {
        let are_first = self.held.iter().all(|held| held.is_first);
        let is_lost = |class: &Class| matches!(class, Class::Lost | Class::Cycle);
        let has_lost = self.classes.keys().any(is_lost);
        (
            self.is_singleton(),
            self.is_owned(),
            self.is_consequence(),
            !self.classes.is_empty() && !has_lost,
            are_first && !has_lost,
        )
    }
}

/// All of it.
#[derive(Default)]
pub struct Leaks {
    /// Types, those with the most references first.
    pub types: Vec<Type>,
    /// What the objects of these types own, the most first.
    pub owned: Vec<Owned>,
    /// How what leads to the objects was searched for.
    pub search: Option<Search>,
    /// Objects that are referenced.
    pub objects: u64,
    /// References on them.
    pub references: u64,
    /// The time of the gathering.
    pub now: Time,
    /// Objects that left the tracked zone with too many references.
    pub lost: u64,
    /// Objects in memory that processes share.
    pub shared: u64,
    /// percpu_refs that were released, and that percpu_ref_exit() has not ended.
    pub unexited: Vec<Unexited>,
}

impl Leaks {
    /// Whether something is wrong: not if all is perhaps meant to live as long as the program.
    pub fn is_wrong(&self) -> bool {
        !self.unexited.is_empty() || !self.types.iter().all(Type::is_singleton)
    }
}

/// percpu_refs that were initialised at one stack.
pub struct Unexited {
    /// The stack.
    pub stack: Id,
    /// How many.
    pub count: u64,
    /// One of these: its number and its address.
    pub example: (u64, u64),
}

/// What tells types apart: the name from kref_init_as(); without one, the release function; without both,
/// where the objects were created.
pub type Key = (Name, PlaceId, Id);

/// Before a put of the object has told its release function, what a put told of objects that were created
/// there is taken.
pub fn key(world: &World, object: &Object) -> Key {
    if object.type_name() != NONE {
        return (object.type_name(), 0, 0);
    }
    match release_of(world, object) {
        0 => (object.type_name(), 0, object.created().stack),
        release => (object.type_name(), release, 0),
    }
}

/// The release function of an object, or 0.
pub fn release_of(world: &World, object: &Object) -> PlaceId {
    let told = || world.code.get(object.created().stack).map_or(0, |stack| stack.release.get());
    if object.release == 0 { told() } else { object.release }
}

/// The name of a type.
pub fn name(world: &World, (type_name, release, created): Key) -> String {
    let code = &world.code;
    if let Some(name) = code.names.get(type_name) {
        return name.to_string();
    }
    if release != 0 {
        return code.function(release).to_string();
    }
    match code.described(created).first() {
        Some(frame) => format!("objects of {}", crate::text::place(frame)),
        None => "objects of unknown origin".to_string(),
    }
}

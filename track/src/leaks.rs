//! What is held, gathered from the table: by type, by holder, by stack.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use crate::clock::Time;
use crate::code::{Id, PlaceId};
use crate::evidence::{self, Blame, Certainty};
use crate::filter;
use crate::names::{NONE, Name};
use crate::object::{Held, LOST, Object, PERCPU, RELEASED, UNRECORDED, UNSURE};
use crate::origins::Origins;
use crate::percpu::INITIAL;
use crate::process::Process;
use crate::reach::owned::{self, Owned};
use crate::reach::{Class, Reach, Search};
use crate::world::World;

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
    /// Whether no object of the type was released, and none is a percpu_ref.
    none_ended: bool,
}

impl Type {
    /// Whether others own all of its objects, as far as is known.
    fn is_owned(&self) -> bool {
        self.classes.get(&Class::Owned) == Some(&self.objects)
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

    /// Several types are held: one may be the cause of the others. So what was never seen given back is not certain.
    fn doubt(&mut self) {
        for blame in self.held.iter_mut().filter_map(|held| held.blame.as_mut()) {
            if !blame.was_seen && blame.certainty == Certainty::Certain {
                Rc::make_mut(blame).certainty = Certainty::Likely;
            }
        }
    }

    /// Types that show a cause come before those that only show what follows from it.
    fn rank(&self) -> (bool, bool, bool, bool) {
        let follows =
            |held: &Reference| held.blame.as_ref().is_some_and(|blame| blame.is_consequence);
        let is_consequence = self.held.iter().all(follows);
        let are_first = self.held.iter().all(|held| held.is_first);
        (self.is_singleton(), self.is_owned(), is_consequence, are_first)
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
type Alike = (Name, Id, bool);

#[derive(Default)]
struct Gathered<'a> {
    of: Type,
    held: HashMap<Alike, Reference, FxBuildHasher>,
    /// The objects whose histories are kept.
    kept: Vec<&'a Object>,
    has_percpu: bool,
}

impl Leaks {
    /// Whether something is wrong: not if all is perhaps meant to live as long as the program.
    pub fn is_wrong(&self) -> bool {
        !self.unexited.is_empty() || !self.types.iter().all(Type::is_singleton)
    }
}

/// Tells which objects are in a report: those on which references are held that were taken since the last checkpoint.
pub struct Reported<'a> {
    world: &'a World,
    process: &'a Process,
    wanted: HashMap<Key, bool, FxBuildHasher>,
}

impl<'a> Reported<'a> {
    /// In a report of this process.
    pub fn new(world: &'a World, process: &'a Process) -> Self {
        Self { world, process, wanted: HashMap::default() }
    }

    /// Whether a live object is.
    pub fn has(&mut self, object: &Object) -> bool {
        let origin = (object.type_name, object.release, object.created().stack);
        let (world, process) = (self.world, self.process);
        let mut held = process.table.held(object);
        !object.is(LOST)
            && !process.shared.has(object.address)
            && held.any(|held| held.mark == process.mark)
            && *self
                .wanted
                .entry(origin)
                .or_insert_with(|| filter::fits(world, origin.0, origin.1, origin.2))
    }
}

/// Looks through the table for what was taken since the last checkpoint. For `--live`, each second: the rules have
/// matched each put to a get, and nothing is explained anew.
pub fn gather(world: &World, process: &Process) -> Leaks {
    gather_by(world, process, &Reach::default(), false)
}

/// The same, by what leads to the objects and by what all objects of a type tell.
pub fn gather_with(world: &World, process: &Process, reach: &Reach) -> Leaks {
    gather_by(world, process, reach, true)
}

fn gather_by(world: &World, process: &Process, reach: &Reach, by_evidence: bool) -> Leaks {
    process.shared.look();
    let mut types: HashMap<Key, Gathered<'_>, FxBuildHasher> = HashMap::default();
    let mut owned = owned::Count::default();
    let mut leaks = Leaks { now: world.now.get(), search: reach.search, ..Leaks::default() };
    let mut reported = Reported::new(world, process);
    let mut origins = Origins::new(world);
    let (table, mark) = (&process.table, process.mark);
    for object in table.live() {
        if object.is(LOST) {
            leaks.lost += 1;
        } else if process.shared.has(object.address) {
            leaks.shared += 1;
        } else if reported.has(object) {
            let (key, verdict) = (origins.of(world, key(world, object)), reach.of(object));
            if verdict.is_some_and(|verdict| verdict.is_covered) {
                let held = table.held(object).filter(|held| held.mark == mark);
                owned.add(key, held.map(|held| u64::from(held.count)).sum());
                continue;
            }
            let of = types.entry(key).or_default();
            of.add(world, process, object, by_evidence);
            if let Some(verdict) = verdict {
                *of.of.classes.entry(verdict.class).or_default() += 1;
            }
        }
    }
    for (key, gathered) in types {
        leaks.types.push(gathered.finish(world, process, key));
    }
    leaks.owned = owned.by_type(world);
    leaks.unexited = unexited(world, process);
    leaks.types.sort_by(|a, b| b.references.cmp(&a.references).then(a.name.cmp(&b.name)));
    leaks.types.sort_by_key(Type::rank);
    let causes = leaks.types.iter().filter(|of| !of.is_owned()).count();
    if causes > 1 {
        leaks.types.iter_mut().for_each(Type::doubt);
    }
    let owned = leaks.owned.iter().map(|of| (of.objects, of.references));
    let all = leaks.types.iter().map(|of| (of.objects, of.references)).chain(owned);
    (leaks.objects, leaks.references) = all.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    leaks
}

fn unexited(world: &World, process: &Process) -> Vec<Unexited> {
    let mut stacks: BTreeMap<Id, Unexited> = BTreeMap::new();
    let known = process.table.known().filter(|object| object.is(PERCPU) && object.is(RELEASED));
    for object in known.filter(|object| object.first_mark == process.mark) {
        let stack = object.created().stack;
        let is_own = !process.shared.has(object.address);
        if is_own && filter::fits(world, object.type_name, object.release, stack) {
            let example = (object.serial, object.address);
            let all = stacks.entry(stack).or_insert(Unexited { stack, count: 0, example });
            all.count += 1;
        }
    }
    stacks.into_values().collect()
}

/// Before a put of the object has told its release function, what a put told of objects that were created
/// there is taken.
pub fn key(world: &World, object: &Object) -> Key {
    if object.type_name != NONE {
        return (object.type_name, 0, 0);
    }
    let created = object.created().stack;
    let told = world.code.get(created).map_or(0, |stack| stack.release.get());
    match if object.release == 0 { told } else { object.release } {
        0 => (object.type_name, 0, created),
        release => (object.type_name, release, 0),
    }
}

impl<'a> Gathered<'a> {
    fn add(&mut self, world: &World, process: &Process, object: &'a Object, by_evidence: bool) {
        let (table, mark) = (&process.table, process.mark);
        self.of.objects += 1;
        self.has_percpu |= object.is(PERCPU);
        self.of.unrecorded += u64::from(table.doubts(object, UNRECORDED));
        table.balance(object, |stack, gets, puts| {
            let balance = self.of.sites.entry(stack).or_default();
            balance.0 += u64::from(gets);
            balance.1 += u64::from(puts);
        });
        if by_evidence && evidence::is_kept(process, object, mark) {
            self.kept.push(object);
            return;
        }
        self.of.unsure += u64::from(table.doubts(object, UNSURE));
        let mut seen: Vec<Alike> = Vec::new();
        for held in table.held(object).filter(|held| held.mark == mark) {
            let alike = (held.holder, held.by.stack, held.is_first);
            let is_new = !seen.contains(&alike);
            self.count(world, &held, (object.serial, object.address), is_new, None);
            seen.push(alike);
        }
    }

    fn count(
        &mut self,
        world: &World,
        held: &Held,
        object: (u64, u64),
        is_new: bool,
        blame: Option<Rc<Blame>>,
    ) {
        let alike = (held.holder, held.by.stack, held.is_first);
        let reference = self.held.entry(alike).or_insert_with(|| Reference::new(world, held));
        reference.add(held, object, is_new);
        reference.blame = blame.or(reference.blame.take());
        self.of.references += u64::from(held.count);
    }

    fn finish(mut self, world: &World, process: &Process, key: Key) -> Type {
        if !self.kept.is_empty() {
            self.weigh(world, process, key);
        }
        self.of.name = name(world, key);
        self.of.none_ended = !self.has_percpu && !process.ended.contains(&key);
        self.of.held = self.held.into_values().collect();
        // What is blamed first; a get that nobody undid says more than a creator's reference does; then, the most.
        self.of.held.sort_by_key(|held| {
            let is_first = held.blame.as_ref().is_some_and(|blame| blame.is_first);
            (!is_first, held.is_first, std::cmp::Reverse(held.count), held.stack)
        });
        self.of
    }

    /// Adds what the evidence says of the objects whose histories are kept.
    fn weigh(&mut self, world: &World, process: &Process, key: Key) {
        let kept = std::mem::take(&mut self.kept);
        let mut seen: HashSet<(usize, Alike), FxBuildHasher> = HashSet::default();
        for leak in evidence::judge(world, process, key, &kept) {
            let object = kept[leak.object];
            let held = Held {
                holder: leak.holder,
                by: leak.by,
                count: 1,
                mark: process.mark,
                is_first: leak.is_first,
            };
            let alike = (held.holder, held.by.stack, held.is_first);
            let is_new = seen.insert((leak.object, alike));
            self.count(world, &held, (object.serial, object.address), is_new, Some(leak.blame));
        }
    }
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

impl Reference {
    fn new(world: &World, held: &Held) -> Self {
        let holder = world.code.names.get(held.holder);
        Self {
            holder,
            stack: held.by.stack,
            is_first: held.is_first || holder == Some(INITIAL),
            count: 0,
            objects: 0,
            example: (0, 0),
            times: (held.by.time, held.by.time),
            threads: BTreeMap::new(),
            blame: None,
        }
    }

    fn add(&mut self, held: &Held, object: (u64, u64), is_new: bool) {
        self.count += u64::from(held.count);
        self.objects += u64::from(is_new);
        if self.example.0 == 0 || object.0 < self.example.0 {
            self.example = object;
        }
        self.times.0 = self.times.0.min(held.by.time);
        self.times.1 = self.times.1.max(held.by.time);
        *self.threads.entry(held.by.thread).or_default() += u64::from(held.count);
    }
}

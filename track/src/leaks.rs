//! What is held, gathered from the table: by type, by holder, by stack.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use rustc_hash::FxBuildHasher;
use std::collections::HashMap;

use crate::clock::{self, Time};
use crate::object::{Group, MARK, Object};
use crate::stacks::{self, Id};
use crate::{filter, symbols};

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
    pub example: (u64, usize),
    /// When the first and the last were taken.
    pub times: (Time, Time),
    /// The threads, by number, and how many each took.
    pub threads: BTreeMap<u32, u64>,
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
}

/// All of it.
#[derive(Default)]
pub struct Leaks {
    /// Types, those with the most references first.
    pub types: Vec<Type>,
    /// Objects that are referenced.
    pub objects: u64,
    /// References on them.
    pub references: u64,
    /// The time of the gathering.
    pub now: Time,
    /// Objects that left the tracked zone with too many references.
    pub lost: u64,
}

/// What tells types apart: the name from kref_init_as(); without one, the release function; without both,
/// where the objects were created.
type Key = (Option<&'static str>, usize, Id);
type Held = (Option<&'static str>, Id, bool);

#[derive(Default)]
struct Gathered {
    of: Type,
    held: HashMap<Held, Reference, FxBuildHasher>,
}

/// Looks through the table for what was taken since the last checkpoint.
pub fn gather() -> Leaks {
    let mark = MARK.load(Relaxed);
    let mut types: HashMap<Key, Gathered, FxBuildHasher> = HashMap::default();
    let mut leaks = Leaks { now: clock::now(), ..Leaks::default() };
    let mut wanted: HashMap<Key, bool, FxBuildHasher> = HashMap::default();
    crate::table::each_live(|address, object| {
        let origin = (object.type_name, object.release, object.created.stack);
        if object.lost {
            leaks.lost += 1;
        } else if object.held().any(|group| group.mark == mark)
            && *wanted.entry(origin).or_insert_with(|| filter::fits(origin.0, origin.1, origin.2))
        {
            types.entry(key(object)).or_default().add(address, object, mark);
        }
    });
    for (key, gathered) in types {
        leaks.types.push(gathered.finish(key));
    }
    leaks.types.sort_by(|a, b| b.references.cmp(&a.references).then(a.name.cmp(&b.name)));
    leaks.objects = leaks.types.iter().map(|of| of.objects).sum();
    leaks.references = leaks.types.iter().map(|of| of.references).sum();
    leaks
}

/// Before a put of the object has told its release function, what a put told of objects that were created
/// there is taken.
fn key(object: &Object) -> Key {
    if object.type_name.is_some() {
        return (object.type_name, 0, 0);
    }
    let told = stacks::get(object.created.stack).map_or(0, |stack| stack.release.load(Relaxed));
    match if object.release == 0 { told } else { object.release } {
        0 => (None, 0, object.created.stack),
        release => (None, release, 0),
    }
}

impl Gathered {
    fn add(&mut self, address: usize, object: &Object, mark: u32) {
        self.of.objects += 1;
        self.of.unsure += u64::from(object.unsure);
        self.of.unrecorded += u64::from(object.unrecorded);
        for site in &object.sites {
            let balance = self.of.sites.entry(site.stack).or_default();
            balance.0 += u64::from(site.gets);
            balance.1 += u64::from(site.puts);
        }
        self.of.sites.entry(object.created.stack).or_default().0 += 1;
        let mut seen: Vec<Held> = Vec::new();
        for group in object.held().filter(|group| group.mark == mark) {
            let held = (group.holder.name(), group.by.stack, group.is_first);
            let reference = self.held.entry(held).or_insert_with(|| Reference::new(&group));
            reference.add(&group, (object.serial, address), !seen.contains(&held));
            seen.push(held);
            self.of.references += u64::from(group.count);
        }
    }

    fn finish(mut self, key: Key) -> Type {
        self.of.name = name(key);
        self.of.held = self.held.into_values().collect();
        // A get that nobody undid says more than a creator's reference does; then, the most first.
        self.of.held.sort_by_key(|held| (held.is_first, std::cmp::Reverse(held.count), held.stack));
        self.of
    }
}

fn name((type_name, release, created): Key) -> String {
    if let Some(name) = type_name {
        return name.to_string();
    }
    if release != 0 {
        return symbols::function(release).to_string();
    }
    match stacks::get(created).and_then(|stack| stack.frames.first()) {
        Some(frame) => format!("objects of {}", crate::text::place(frame)),
        None => "objects of unknown origin".to_string(),
    }
}

impl Reference {
    fn new(group: &Group) -> Self {
        Self {
            holder: group.holder.name(),
            stack: group.by.stack,
            is_first: group.is_first,
            count: 0,
            objects: 0,
            example: (0, 0),
            times: (group.by.time, group.by.time),
            threads: BTreeMap::new(),
        }
    }

    fn add(&mut self, group: &Group, object: (u64, usize), is_new: bool) {
        self.count += u64::from(group.count);
        self.objects += u64::from(is_new);
        if self.example.0 == 0 || object.0 < self.example.0 {
            self.example = object;
        }
        self.times.0 = self.times.0.min(group.by.time);
        self.times.1 = self.times.1.max(group.by.time);
        *self.threads.entry(group.by.thread).or_default() += u64::from(group.count);
    }
}

//! The search through the table for what is held.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use super::{Key, Leaks, Reference, Reported, Type, Unexited, key, name, release_of};
use crate::code::Id;
use crate::evidence::{self, Blame};
use crate::filter;
use crate::names::{NONE, Name};
use crate::object::{Held, LOST, Object, PERCPU, RELEASED, UNRECORDED, UNSURE};
use crate::origins::Origins;
use crate::percpu::INITIAL;
use crate::process::Process;
use crate::reach::Reach;
use crate::reach::owned;
use crate::world::World;

type Alike = (Name, Id, bool);

#[derive(Default)]
struct Gathered<'a> {
    of: Type,
    held: HashMap<Alike, Reference, FxBuildHasher>,
    /// The objects whose histories are kept.
    kept: Vec<&'a Object>,
    has_percpu: bool,
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
            // A child does not repeat what its parent says.
            leaks.lost += u64::from(!table.is_inherited(object) && reported.is_wanted(object));
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
    let releases = if by_evidence { live_releases(world, process) } else { BTreeSet::new() };
    for (key, gathered) in types {
        leaks.types.push(gathered.finish(world, process, key, &releases));
    }
    leaks.owned = owned.by_type(world);
    leaks.unexited = unexited(world, process);
    leaks.types.sort_by(|a, b| b.references.cmp(&a.references).then(a.name.cmp(&b.name)));
    leaks.types.sort_by_key(Type::rank);
    let others = leaks.types.iter().filter(|of| !of.is_owned());
    let follow: Vec<bool> = others.map(Type::is_consequence).collect();
    if follow.len() > 1 {
        let causes = follow.iter().filter(|&&follows| !follows).count();
        leaks.types.iter_mut().for_each(|of| of.doubt(causes > 1));
    }
    let owned = leaks.owned.iter().map(|of| (of.objects, of.references));
    let all = leaks.types.iter().map(|of| (of.objects, of.references)).chain(owned);
    (leaks.objects, leaks.references) = all.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    leaks
}

/// The release functions of live objects, by their identities.
fn live_releases(world: &World, process: &Process) -> BTreeSet<u64> {
    let places: BTreeSet<_> =
        process.table.live().map(|object| release_of(world, object)).collect();
    let functions = places.into_iter().filter_map(|place| world.code.frames(place).last());
    functions.map(|frame| frame.identity).collect()
}

fn unexited(world: &World, process: &Process) -> Vec<Unexited> {
    let mut stacks: BTreeMap<Id, Unexited> = BTreeMap::new();
    let known = process.table.known().filter(|object| object.is(PERCPU) && object.is(RELEASED));
    for object in known.filter(|object| object.mark() == process.mark) {
        let stack = object.created().stack;
        let is_own = !process.shared.has(object.address);
        if is_own && filter::fits(world, object.type_name(), object.release, stack) {
            let example = (object.serial(), object.address);
            let all = stacks.entry(stack).or_insert(Unexited { stack, count: 0, example });
            all.count += 1;
        }
    }
    stacks.into_values().collect()
}

impl<'a> Gathered<'a> {
    fn add(&mut self, world: &World, process: &Process, object: &'a Object, by_evidence: bool) {
        let (table, mark) = (&process.table, process.mark);
        self.of.objects += 1;
        self.has_percpu |= object.is(PERCPU);
        self.of.unrecorded += u64::from(table.doubts(object, UNRECORDED));
        let (mut takers, mut all_puts) = (0, 0);
        table.balance(object, |stack, gets, puts| {
            let balance = self.of.sites.entry(stack).or_default();
            balance.0 += u64::from(gets);
            balance.1 += u64::from(puts);
            takers += u64::from(gets > 0);
            all_puts += puts;
        });
        if by_evidence && evidence::is_kept(process, object, mark) {
            self.kept.push(object);
            return;
        }
        // Several places took references, and the object's gets and puts are not kept. Then only holders' names tell whose
        // reference a put gave back.
        let has_name = |held: Held| held.holder != NONE;
        let is_mixed = by_evidence && takers > 1 && all_puts > 0;
        let is_open = is_mixed && !table.held(object).all(has_name);
        self.of.unsure += u64::from(table.doubts(object, UNSURE)).max(u64::from(is_open));
        let mut seen: Vec<Alike> = Vec::new();
        for held in table.held(object).filter(|held| held.mark == mark) {
            let alike = (held.holder, held.by.stack, held.is_first);
            let is_new = !seen.contains(&alike);
            self.count(world, &held, (object.serial(), object.address), is_new, None);
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

    fn finish(
        mut self,
        world: &World,
        process: &Process,
        key: Key,
        releases: &BTreeSet<u64>,
    ) -> Type {
        if !self.kept.is_empty() {
            self.weigh(world, process, key, releases);
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
    fn weigh(&mut self, world: &World, process: &Process, key: Key, releases: &BTreeSet<u64>) {
        let kept = std::mem::take(&mut self.kept);
        let mut seen: HashSet<(usize, Alike), FxBuildHasher> = HashSet::default();
        for leak in evidence::judge(world, process, key, &kept, releases) {
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
            self.count(world, &held, (object.serial(), object.address), is_new, Some(leak.blame));
        }
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

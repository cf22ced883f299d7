//! What is gathered of one type: objects, and the references on them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use super::{Key, Reference, Type, name};
use crate::clock::Time;
use crate::code::Id;
use crate::evidence::{self, Alive, Blame, Mass, What};
use crate::held::{Held, UNRECORDED, UNSURE};
use crate::names::{NONE, Name};
use crate::object::{Object, PERCPU};
use crate::percpu::INITIAL;
use crate::process::Process;
use crate::reach::{Class, Verdict};
use crate::sources::Sources;
use crate::world::World;

type Alike = (Name, Id, bool);

/// What is found of one type, object after object.
#[derive(Default)]
pub struct Gathered<'a> {
    of: Type,
    held: HashMap<Alike, Reference, FxBuildHasher>,
    /// The objects whose histories are kept.
    kept: Vec<&'a Object>,
    /// The others, if several places took references and not all holders have names.
    long: Vec<&'a Object>,
    has_percpu: bool,
}

impl<'a> Gathered<'a> {
    /// Adds an object.
    pub fn add(&mut self, world: &World, process: &Process, object: &'a Object, by_evidence: bool) {
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
        // reference a put gave back, or the numbers of all gets and puts.
        let has_name = |held: Held| held.holder != NONE;
        let is_mixed = by_evidence && takers > 1 && all_puts > 0;
        let is_open = is_mixed && !table.held(object).all(has_name);
        let is_whole = object.mark() == mark && table.doubts(object, UNRECORDED) == 0;
        if is_open && is_whole && !object.is(PERCPU) {
            self.long.push(object);
            return;
        }
        self.of.unsure += u64::from(table.doubts(object, UNSURE)).max(u64::from(is_open));
        self.add_held(world, process, object);
    }

    /// Counts in which way an object is held.
    pub fn classify(&mut self, verdict: Verdict) {
        *self.of.classes.entry(verdict.class).or_default() += 1;
        self.of.owned += u64::from(verdict.class == Class::Owned || verdict.is_accounted);
    }

    /// Adds what the rules say is held.
    fn add_held(&mut self, world: &World, process: &Process, object: &Object) {
        let (table, mark) = (&process.table, process.mark);
        let mut seen: Vec<Alike> = Vec::new();
        for held in table.held(object).filter(|held| held.mark == mark) {
            let alike = (held.holder, held.by.stack, held.is_first);
            let is_new = !seen.contains(&alike);
            self.count(world, &held, ids(object), is_new, None);
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

    /// All of the type.
    pub fn finish(
        mut self,
        world: &World,
        process: &Process,
        key: Key,
        alive: &Alive,
        sources: &Sources,
    ) -> Type {
        if !self.kept.is_empty() || !self.long.is_empty() {
            self.weigh(world, process, key, alive, sources);
        }
        self.of.name = name(world, key);
        self.of.none_ended = !self.has_percpu && !process.ended.contains(&key);
        self.of.held = self.held.into_values().collect();
        // Causes before what follows from them; what is blamed first; a get that nobody undid says more than a creator's
        // reference does; then, the most.
        self.of.held.sort_by_key(|held| {
            let blame = held.blame.as_ref();
            let is_first = blame.is_some_and(|blame| blame.is_first);
            let follows = blame.is_some_and(|blame| blame.is_consequence);
            (follows, !is_first, held.is_first, std::cmp::Reverse(held.count), held.stack)
        });
        self.of
    }

    /// Adds what the evidence says of the objects.
    fn weigh(
        &mut self,
        world: &World,
        process: &Process,
        key: Key,
        alive: &Alive,
        sources: &Sources,
    ) {
        let kept = std::mem::take(&mut self.kept);
        let totals = self.totals(process);
        let mut seen: HashSet<(usize, Alike), FxBuildHasher> = HashSet::default();
        let judged = evidence::judge(world, process, key, &kept, &totals, alive, sources);
        for leak in judged.leaks {
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
            self.count(world, &held, ids(object), is_new, Some(leak.blame));
        }
        let long = std::mem::take(&mut self.long);
        if judged.masses.is_empty() {
            self.of.unsure += long.len() as u64;
            long.iter().for_each(|object| self.add_held(world, process, object));
        }
        for mass in &judged.masses {
            self.add_mass(world, process, &long, mass);
        }
    }

    /// The gets and puts of objects whose histories are not kept, by stack.
    fn totals(&self, process: &Process) -> BTreeMap<(Id, What), u64> {
        let mut totals = BTreeMap::new();
        for object in &self.long {
            let created = object.created().stack;
            process.table.balance(object, |stack, gets, puts| {
                let what = if stack == created { What::Create } else { What::Get };
                for (what, count) in [(what, gets), (What::Put, puts)] {
                    if count > 0 {
                        *totals.entry((stack, what)).or_default() += u64::from(count);
                    }
                }
            });
        }
        totals
    }

    /// Adds references of one class. Of some of them the rules know when they were taken, and by which thread.
    fn add_mass(&mut self, world: &World, process: &Process, long: &[&Object], mass: &Mass) {
        let mut rest = mass.count;
        for object in long {
            let others = process.table.held(object).filter(|held| !held.is_first);
            let is_of_mass = |held: &Held| {
                held.is_first == mass.is_first && mass.stacks.contains_key(&held.by.stack)
            };
            let mut is_new = true;
            for held in iter::once(object.creators()).chain(others).filter(is_of_mass) {
                let count = held.count.min(u32::try_from(rest).unwrap_or(u32::MAX));
                if count > 0 {
                    let held = Held { count, ..held };
                    self.count(world, &held, ids(object), is_new, Some(Rc::clone(&mass.blame)));
                    rest -= u64::from(count);
                    is_new = false;
                }
            }
        }
        let most = mass.stacks.iter().max_by_key(|&(_, count)| count);
        let (Some((&stack, _)), Some(object)) = (most, long.first()) else { return };
        if rest > 0 {
            let alike = (NONE, stack, mass.is_first);
            let reference = self.held.entry(alike).or_insert_with(|| {
                let mut held = object.creators();
                held.by.stack = stack;
                Reference { is_first: mass.is_first, ..Reference::new(world, &held) }
            });
            reference.add_unknown(rest, object, world.now.get());
            reference.blame = Some(Rc::clone(&mass.blame));
            self.of.references += rest;
        }
    }
}

/// What tells an object from others: its number and its address.
fn ids(object: &Object) -> (u64, u64) {
    (object.serial(), object.address)
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

    /// Adds references of which it is not known when they were taken, and by whom.
    fn add_unknown(&mut self, count: u64, object: &Object, now: Time) {
        self.count += count;
        if self.objects == 0 {
            (self.objects, self.example) = (1, ids(object));
        }
        self.times = (self.times.0.min(object.created().time), now);
    }
}

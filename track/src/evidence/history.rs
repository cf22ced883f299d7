//! The gets and puts of objects: of each live one in its table; of those that were released each different history
//! once, with how often it was.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::iter;

use rustc_hash::{FxBuildHasher, FxHasher};

use super::passes::{Common, Moment};
use crate::code::Id;
use crate::event::Happened;
use crate::leaks::{self, Key};
use crate::names::{NONE, Name};
use crate::object::{Act, Mark, Object, Step};
use crate::process::Process;
use crate::slab::{At, NIL};
use crate::world::World;

/// The histories of so many live objects that were created at one stack are kept; of the others, one in so many.
const MOST_LIVE: u32 = 1 << 12;
const ONE_IN: u64 = 16;
/// From so many steps on, what is plainly a pair is taken away.
const MANY: u16 = 48;
/// No history is longer.
pub const MOST_STEPS: u16 = 96;
/// The most histories of a type, and ways in which the same gets and puts can belong together.
const MOST_HISTORIES: usize = 512;
const MOST_WAYS: usize = 4;
/// The same gets and puts are looked at so often.
const LOOKS: u64 = 8;

/// A get or a put of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Where.
    pub stack: Id,
    /// The thread, by its number among those of the object.
    pub thread: u8,
    /// The holder.
    pub holder: Name,
    /// Whether it is a get.
    pub is_get: bool,
}

/// The gets and puts of an object in their order. The first is its creation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History {
    /// The gets and puts.
    pub events: Box<[Event]>,
    /// For each put, what it has in common with each event before it.
    common: Box<[Common]>,
}

impl History {
    /// What a get and a later put have in common.
    pub fn common(&self, get: usize, put: usize) -> Common {
        self.common[index(get, put)]
    }
}

/// Where it stands what a get and a later put have in common.
fn index(get: usize, put: usize) -> usize {
    put * (put - 1) / 2 + get
}

/// The same gets and puts, in the ways in which they were seen to belong together.
#[derive(Default)]
struct Alike {
    count: u64,
    ways: Vec<(History, u64)>,
}

/// What is known of a type.
#[derive(Default)]
struct Known {
    alike: HashMap<u64, Alike, FxBuildHasher>,
    /// Pairs of objects with very many gets and puts.
    pairs: HashMap<(Id, Id), u64, FxBuildHasher>,
}

/// The histories of objects that were released, by type.
#[derive(Default)]
pub struct Evidence(RefCell<HashMap<Key, Known, FxBuildHasher>>);

/// Histories, and how often each was seen.
pub type Counted = Vec<(History, f64)>;
/// Stacks of gets and of puts that plainly belong together, and how often they did.
pub type Plain = Vec<(Id, Id, f64)>;

impl Evidence {
    /// What is known of a type: histories, and pairs of stacks that plainly belong together.
    pub fn of(&self, key: Key) -> (Counted, Plain) {
        let all = self.0.borrow();
        let Some(known) = all.get(&key) else { return Default::default() };
        let mut histories = Vec::new();
        for alike in known.alike.values() {
            let looks: u64 = alike.ways.iter().map(|(_, seen)| seen).sum();
            let share = alike.count as f64 / looks as f64;
            histories
                .extend(alike.ways.iter().map(|(it, seen)| (it.clone(), *seen as f64 * share)));
        }
        let pairs = known.pairs.iter().map(|(&(get, put), &count)| (get, put, count as f64));
        (histories, pairs.collect())
    }
}

/// Whether a new object's history is kept. If so, it begins.
pub fn begin(world: &World, process: &mut Process, at: At, event: &Happened) {
    let object = process.table.object(at);
    let Some(created) = world.code.get(object.created().stack) else { return };
    let count = created.kept.get();
    if count < MOST_LIVE || object.serial.is_multiple_of(ONE_IN) {
        created.kept.set(count.saturating_add(1));
        let place = world.passes.note(event.by.thread, event.recorded);
        // The name of a creation is the type's.
        let step = Step { holder: NONE, ..step(process, event, place, true, 0) };
        process.table.add_step(at, step);
    }
}

fn step(process: &Process, event: &Happened, place: u32, is_get: bool, older: u16) -> Step {
    Step {
        by: event.by,
        recorded: event.recorded,
        place,
        holder: event.name,
        older,
        mark: process.mark,
        is_get,
        next: NIL,
    }
}

/// A get or a put of an object.
pub fn note(world: &World, process: &mut Process, at: At, event: &Happened, is_get: bool) {
    let place = world.passes.note(event.by.thread, event.recorded);
    let object = process.table.object(at);
    let Some(&last) = process.table.last_step(object) else { return };
    let new = step(process, event, place, is_get, last.older + 1);
    if last.older >= MANY && !is_get && is_plain(world, &last, &new) {
        count_pair(world, process.table.object(at), last.by.stack, new.by.stack);
        return process.table.drop_last_step(at);
    }
    let is_full = last.older + 1 >= MOST_STEPS && !thin(world, process, at);
    let older = process.table.last_step(process.table.object(at)).map_or(0, |last| last.older + 1);
    if is_full || !process.table.add_step(at, Step { older, ..new }) {
        drop_history(world, process, at);
    }
}

/// Forgets the history of an object.
pub fn drop_history(world: &World, process: &mut Process, at: At) {
    let object = process.table.object(at);
    if object.steps == NIL {
        return;
    }
    if let Some(created) = world.code.get(object.created().stack) {
        created.kept.set(created.kept.get().saturating_sub(1));
    }
    process.table.drop_steps(at);
}

/// Whether a get and a put are plainly a pair: nothing of the thread is between, and one function has called for both.
fn is_plain(world: &World, get: &Step, put: &Step) -> bool {
    get.is_get
        && get.older > 0
        && get.holder == put.holder
        && get.by.thread == put.by.thread
        && put.place.wrapping_sub(get.place) < 16
        && is_near(world, get, put)
}

fn is_near(world: &World, get: &Step, put: &Step) -> bool {
    let common = common(world, get, iter::once(put))[0];
    let depth = |step: &Step| world.code.described(step.by.stack).len();
    let far = depth(get) + depth(put) - 2 * usize::from(common.calls);
    common.is_one_pass && common.calls > 0 && far <= 3
}

/// What a get has in common with later puts, in their order.
fn common<'a>(world: &World, get: &Step, puts: impl Iterator<Item = &'a Step>) -> Vec<Common> {
    let moment =
        |step: &Step| Moment { thread: step.by.thread, place: step.place, recorded: step.recorded };
    world.passes.common(moment(get), puts.map(moment), &world.code, &world.numbers.borrow())
}

fn count_pair(world: &World, object: &Object, get: Id, put: Id) {
    let mut all = world.evidence.0.borrow_mut();
    let known = all.entry(leaks::key(world, object)).or_default();
    *known.pairs.entry((get, put)).or_default() += 1;
}

/// Takes plain pairs out of a long history. Returns whether it is much shorter now.
fn thin(world: &World, process: &mut Process, at: At) -> bool {
    let object = *process.table.object(at);
    let mut steps: Vec<_> = process.table.steps(&object).copied().collect();
    steps.reverse();
    let mut left: Vec<Step> = Vec::new();
    for step in steps {
        let is_pair = |get: &Step| {
            get.is_get && get.older > 0 && get.holder == step.holder && is_near(world, get, &step)
        };
        let pair = if step.is_get { None } else { left.iter().rposition(is_pair) };
        match pair {
            Some(get) => count_pair(world, &object, left.remove(get).by.stack, step.by.stack),
            None => left.push(step),
        }
    }
    let is_short = left.len() <= usize::from(MOST_STEPS) / 2;
    if is_short {
        process.table.drop_steps(at);
        for (step, older) in left.into_iter().zip(0..) {
            process.table.add_step(at, Step { older, ..step });
        }
    }
    is_short
}

/// An object was released: its history is kept with those that are alike.
pub fn fold(world: &World, process: &mut Process, at: At) {
    let object = *process.table.object(at);
    let Some(last) = process.table.last_step(&object) else { return };
    if last.older >= MOST_STEPS {
        return drop_history(world, process, at);
    }
    let mut hasher = FxHasher::default();
    let mut threads = Threads::default();
    for step in process.table.steps(&object) {
        event(step, &mut threads).hash(&mut hasher);
    }
    let hash = hasher.finish();
    let mut all = world.evidence.0.borrow_mut();
    let known = all.entry(leaks::key(world, &object)).or_default();
    let is_full = known.alike.len() >= MOST_HISTORIES;
    match known.alike.get_mut(&hash) {
        Some(alike) if alike.count >= LOOKS => alike.count += 1,
        None if is_full => {}
        _ => {
            let alike = known.alike.entry(hash).or_default();
            alike.count += 1;
            let history = read(world, process, &object);
            match alike.ways.iter().position(|(way, _)| *way == history) {
                Some(way) => alike.ways[way].1 += 1,
                None if alike.ways.len() < MOST_WAYS => alike.ways.push((history, 1)),
                None => alike.ways[0].1 += 1,
            }
        }
    }
    drop(all);
    drop_history(world, process, at);
}

/// The threads of an object.
#[derive(Default)]
struct Threads {
    known: [u32; 8],
    count: usize,
}

impl Threads {
    fn number(&mut self, thread: u32) -> u8 {
        let known = self.known[..self.count].iter().position(|&known| known == thread);
        if known.is_none() && self.count < self.known.len() {
            self.known[self.count] = thread;
            self.count += 1;
        }
        known.unwrap_or(self.count) as u8
    }
}

fn event(step: &Step, threads: &mut Threads) -> Event {
    Event {
        stack: step.by.stack,
        thread: threads.number(step.by.thread),
        holder: step.holder,
        is_get: step.is_get,
    }
}

/// The history of an object.
pub fn read(world: &World, process: &Process, object: &Object) -> History {
    let mut steps: Vec<_> = process.table.steps(object).collect();
    steps.reverse();
    let mut threads = Threads::default();
    let events = steps.iter().map(|step| event(step, &mut threads)).collect();
    let mut all = vec![Common::default(); steps.len() * steps.len().saturating_sub(1) / 2];
    for (at, get) in steps.iter().enumerate().filter(|(_, step)| step.is_get) {
        let puts = || (at + 1..steps.len()).filter(|&put| !steps[put].is_get);
        let found = common(world, get, puts().map(|put| steps[put]));
        puts().zip(found).for_each(|(put, common)| all[index(at, put)] = common);
    }
    History { events, common: all.into() }
}

/// Who did the events of a history, and for which holders.
pub fn acts(process: &Process, object: &Object) -> Vec<(Act, Name)> {
    let mut acts: Vec<_> = process.table.steps(object).map(|step| (step.by, step.holder)).collect();
    acts.reverse();
    acts
}

/// Whether the history of an object is kept, and all of it is in a report that begins with a mark.
pub fn is_kept(process: &Process, object: &Object, mark: Mark) -> bool {
    let steps = process.table.steps(object);
    let balance = |step: &Step| if step.is_get { 1 } else { -1 };
    steps.clone().all(|step| step.mark == mark) && steps.map(balance).sum::<i32>() > 0
}

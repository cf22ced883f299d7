//! The gets and puts of objects: of each live one in its table; of those that were released each different history
//! once, with how often it was.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxBuildHasher, FxHasher};

use super::passes::{Common, Moment};
use super::plain::{self, Plain};
use crate::code::Id;
use crate::event::Happened;
use crate::leaks::{self, Key};
use crate::names::{NONE, Name};
use crate::object::{Act, Mark, Object, Step};
use crate::process::Process;
use crate::slab::{At, NIL};
use crate::world::{Numbers, World};

/// So many live objects that were created at one stack keep their histories.
const MOST_LIVE: u32 = 1 << 12;
/// The histories of so many released objects of a type are used.
const MOST_RELEASED: u64 = 1 << 12;
/// Of further objects, one in so many.
const ONE_IN: u64 = 16;
/// From so many steps on, what is plainly a pair is taken away.
const MANY: u8 = 97;
/// No history is longer.
pub const MOST_STEPS: u8 = 192;
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
    /// For each put, what it has in common with each get before it; for each get, what it has in common with the creation.
    common: Box<[Common]>,
}

impl History {
    /// What a get and a later put have in common, or the creation and a later get.
    pub fn common(&self, get: usize, later: usize) -> Common {
        self.common[index(get, later)]
    }
}

/// The place in `common` of what a get and a later event have in common.
fn index(get: usize, later: usize) -> usize {
    later * (later - 1) / 2 + get
}

/// The same gets and puts, in the ways in which they were seen to belong together.
#[derive(Default)]
struct Alike {
    count: u64,
    ways: Vec<(History, u64)>,
}

impl Alike {
    /// How often they were looked at.
    fn looks(&self) -> u64 {
        self.ways.iter().map(|(_, seen)| seen).sum()
    }
}

/// What is known of a type.
#[derive(Default)]
struct Known {
    /// How many objects were released.
    released: u64,
    alike: HashMap<u64, Alike, FxBuildHasher>,
}

/// The histories of objects that were released, by type.
#[derive(Default)]
pub struct Evidence {
    types: RefCell<HashMap<Key, Known, FxBuildHasher>>,
    plain: Plain,
}

/// Histories, and how often each was seen.
pub type Counted = Vec<(History, f64)>;

impl Evidence {
    /// What is known of a type: histories; and stacks of gets and of puts that plainly belong together, and how often
    /// they did.
    pub fn of(&self, key: Key) -> (Counted, Vec<(Id, Id, f64)>) {
        let types = self.types.borrow();
        let mut histories = Vec::new();
        for alike in types.get(&key).iter().flat_map(|known| known.alike.values()) {
            let share = alike.count as f64 / alike.looks() as f64;
            histories
                .extend(alike.ways.iter().map(|(it, seen)| (it.clone(), *seen as f64 * share)));
        }
        (histories, self.plain.of(key))
    }
}

/// Whether a number is chosen: one in `ONE_IN` is. The chosen ones are at uneven distances. So of what a program does
/// every eighth time, some are chosen, and not all.
fn is_one_in(number: u64) -> bool {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) < u64::MAX / ONE_IN
}

/// Whether a new object's history is kept. If so, it begins.
pub fn begin(world: &World, process: &mut Process, at: At, event: &Happened) {
    let object = process.table.object(at);
    let stack = object.created().stack;
    let is_wanted = process.table.kept(stack) < MOST_LIVE || is_one_in(object.serial());
    if stack != 0 && is_wanted {
        let place = world.passes.note(event.by.thread, event.recorded);
        // The name of a creation is the type's.
        let step = Step::new(event.by, event.recorded, place, NONE, process.mark, true);
        process.table.begin_steps(at, step);
    }
}

/// A get or a put of an object.
pub fn note(world: &World, process: &mut Process, at: At, event: &Happened, is_get: bool) {
    let place = world.passes.note(event.by.thread, event.recorded);
    let object = process.table.object(at);
    if object.steps == NIL {
        return;
    }
    let count = object.step_count;
    let step = Step::new(event.by, event.recorded, place, event.name, process.mark, is_get);
    let has_room = if count < MANY {
        process.table.add_step(at, step)
    } else {
        add_to_many(world, process, at, step)
    };
    if !has_room {
        process.table.drop_steps(at);
    }
}

/// Adds a step to a long history. Returns whether there was room.
#[inline(never)]
fn add_to_many(world: &World, process: &mut Process, at: At, step: Step) -> bool {
    let object = process.table.object(at);
    let plain = &world.evidence.plain;
    if !step.is_get() && plain.is_pair(world, object, process.table.steps(object), &step) {
        process.table.drop_last_step(at);
        return true;
    }
    (object.step_count < MOST_STEPS || thin(world, process, at)) && process.table.add_step(at, step)
}

/// Our number of the stack of a step.
pub fn stack(world: &World, step: &Step) -> Id {
    world.numbers.borrow().get(step.recorded)
}

/// What a get has in common with later steps, in their order.
pub fn common<'a>(world: &World, get: &Step, later: impl Iterator<Item = &'a Step>) -> Vec<Common> {
    let moment =
        |step: &Step| Moment { thread: step.thread, place: step.place(), recorded: step.recorded };
    world.passes.common(moment(get), later.map(moment), &world.code, &world.numbers.borrow())
}

/// Takes plain pairs out of a long history. Returns whether it is much shorter now.
fn thin(world: &World, process: &mut Process, at: At) -> bool {
    let object = process.table.object(at);
    let mut left: Vec<Step> = Vec::new();
    for step in in_order(process, object) {
        let is_pair =
            |get: &Step| plain::may_be_pair(get, step) && plain::is_near(world, get, step);
        // The only one: a put may give back either of two.
        let mut gets = (0..left.len()).filter(|&at| !step.is_get() && is_pair(&left[at]));
        match gets.next().filter(|_| gets.next().is_none()) {
            Some(get) => world.evidence.plain.count(world, object, &left.remove(get), step),
            None => left.push(*step),
        }
    }
    let is_short = left.len() <= usize::from(MOST_STEPS) / 2;
    if is_short {
        process.table.replace_steps(at, left.into_iter());
    }
    is_short
}

/// The steps of an object, the oldest first.
fn in_order<'a>(process: &'a Process, object: &Object) -> Vec<&'a Step> {
    let mut steps: Vec<_> = process.table.steps(object).collect();
    steps.reverse();
    steps
}

/// An object was released: its history is kept with those that are alike.
pub fn fold(world: &World, process: &mut Process, at: At) {
    let object = process.table.object(at);
    if object.steps == NIL {
        return;
    }
    let mut types = world.evidence.types.borrow_mut();
    let known = types.entry(leaks::key(world, object)).or_default();
    known.released += 1;
    let count = match known.released {
        ..=MOST_RELEASED => 1,
        number if is_one_in(number) => ONE_IN,
        _ => return process.table.drop_steps(at),
    };
    let hash = hash(world, process, object);
    let is_full = known.alike.len() >= MOST_HISTORIES;
    match known.alike.get_mut(&hash) {
        Some(alike) if alike.looks() >= LOOKS => alike.count += count,
        None if is_full => {}
        _ => {
            let alike = known.alike.entry(hash).or_default();
            alike.count += count;
            let history = read(world, process, object);
            match alike.ways.iter().position(|(way, _)| *way == history) {
                Some(way) => alike.ways[way].1 += 1,
                None if alike.ways.len() < MOST_WAYS => alike.ways.push((history, 1)),
                None => alike.ways[0].1 += 1,
            }
        }
    }
    process.table.drop_steps(at);
}

/// Of the gets and puts alone.
fn hash(world: &World, process: &Process, object: &Object) -> u64 {
    let (numbers, mut threads) = (world.numbers.borrow(), Threads::default());
    let mut hasher = FxHasher::default();
    for step in process.table.steps(object) {
        event(step, &mut threads, &numbers).hash(&mut hasher);
    }
    hasher.finish()
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
        let number = known.unwrap_or(self.count);
        if number == self.count && number < self.known.len() {
            self.known[number] = thread;
            self.count += 1;
        }
        number as u8
    }
}

fn event(step: &Step, threads: &mut Threads, numbers: &Numbers) -> Event {
    Event {
        stack: numbers.get(step.recorded),
        thread: threads.number(step.thread),
        holder: step.holder.name(),
        is_get: step.is_get(),
    }
}

/// The history of an object.
pub fn read(world: &World, process: &Process, object: &Object) -> History {
    let steps = in_order(process, object);
    let mut threads = Threads::default();
    let numbers = world.numbers.borrow();
    let events = steps.iter().map(|step| event(step, &mut threads, &numbers)).collect();
    drop(numbers);
    let mut all = vec![Common::default(); steps.len() * steps.len().saturating_sub(1) / 2];
    for (at, get) in steps.iter().enumerate().filter(|(_, step)| step.is_get()) {
        let others = || (at + 1..steps.len()).filter(|&other| at == 0 || !steps[other].is_get());
        let found = common(world, get, others().map(|other| steps[other]));
        others().zip(found).for_each(|(other, common)| all[index(at, other)] = common);
    }
    History { events, common: all.into() }
}

/// Who did the events of a history, and for which holders.
pub fn acts(world: &World, process: &Process, object: &Object) -> Vec<(Act, Name)> {
    let act = |step: &Step| Act { stack: stack(world, step), thread: step.thread, time: step.time };
    in_order(process, object).into_iter().map(|step| (act(step), step.holder.name())).collect()
}

/// Whether the history of an object is kept, and all of it is in a report that begins with a mark.
pub fn is_kept(process: &Process, object: &Object, mark: Mark) -> bool {
    let steps = process.table.steps(object);
    let balance = |step: &Step| if step.is_get() { 1 } else { -1 };
    steps.clone().all(|step| step.holder.mark() == mark) && steps.map(balance).sum::<i32>() > 0
}

#[cfg(test)]
mod tests {
    use super::{ONE_IN, Threads, is_one_in};

    /// Also of what a program does each eighth or each 16th time.
    #[test]
    fn one_in_so_many() {
        for step in [1, 8, 16, 100] {
            let count = (1..=16_000).filter(|number| is_one_in(number * step)).count() as u64;
            let wanted = 16_000 / ONE_IN;
            assert!(count.abs_diff(wanted) <= wanted / 20, "{count} of each {step}th");
        }
    }

    #[test]
    fn a_thread_has_one_number() {
        let mut threads = Threads::default();
        assert_eq!([7, 7, 3, 7, 3].map(|thread| threads.number(thread)), [0, 0, 1, 0, 1]);
        assert_eq!([1, 2, 4, 5, 6, 8].map(|thread| threads.number(thread)), [2, 3, 4, 5, 6, 7]);
        // There is no room for more: these are one.
        assert_eq!([9, 10, 9, 1].map(|thread| threads.number(thread)), [8, 8, 8, 2]);
    }
}

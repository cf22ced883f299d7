//! Whether a get and a put of one thread were in one call of a function, and in one pass of it.
//!
//! A function's frame has an address. Two events with the same function at the same address are in one call of it,
//! unless the thread has left the function in between: its other events tell. They are in one pass if, between them,
//! the function has not gone back to the line of the get or before it: no loop has turned.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use crate::code::Code;
use crate::symbols::Frame;
use crate::world::Numbers;

/// The threads whose stacks are kept at the same time.
const THREADS: usize = 1024;
/// So many stacks of each.
const STACKS: usize = 1 << 13;
/// So many stacks are looked at between a get and a put.
const MOST_STEPS: u32 = 1 << 12;
/// The most stacks whose levels are remembered.
const REMEMBERED: usize = 1 << 15;

/// A place is less than this: the places of a thread begin again.
const PLACES: u32 = 1 << 31;

/// How many places it is from one to a later one.
pub fn distance(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) % PLACES
}

/// The last stacks of a thread, by the recorder's numbers.
struct Log {
    thread: u32,
    /// The place of the next stack.
    next: u32,
    stacks: Box<[u32; STACKS]>,
}

impl Log {
    fn stack(&self, place: u32) -> Option<u32> {
        let is_kept = (1..=STACKS as u32).contains(&distance(place, self.next));
        is_kept.then(|| self.stacks[place as usize % STACKS])
    }
}

/// The log of a thread, which takes the place of another thread's. No place of the other thread is near one of this.
#[cold]
fn begin(logs: &mut Vec<Option<Log>>, slot: usize, thread: u32) -> &mut Log {
    if slot >= logs.len() {
        logs.resize_with(slot + 1, || None);
    }
    let next = logs[slot].as_ref().map_or(0, |before| distance(0, before.next + STACKS as u32));
    logs[slot].insert(Log { thread, next, stacks: Box::new([0; STACKS]) })
}

/// A function on the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Level {
    function: u64,
    /// The address of its frame.
    frame: u64,
    /// The line, and the address of the call.
    position: (u32, u64),
}

type Levels = Rc<[Level]>;

/// Where in a thread's life something was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The thread.
    pub thread: u32,
    /// The place among its stacks.
    pub place: u32,
    /// The stack's number, by the recorder.
    pub recorded: u32,
}

/// What a get and a later get or put of one thread have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Common {
    /// So many functions, from the outermost, that were called once for both.
    pub calls: u8,
    /// Whether the innermost of these has not gone back in between.
    pub is_one_pass: bool,
}

impl Common {
    /// How many lines behind the get the put is, in the innermost function that was called once for both.
    pub fn lines(self, get: &[Frame], put: &[Frame]) -> Option<u32> {
        let line = |frames: &[Frame]| {
            let at = frames.len().checked_sub(usize::from(self.calls))?;
            frames.get(at).map(|frame| frame.line).filter(|&line| line > 0)
        };
        line(put)?.checked_sub(line(get)?)
    }
}

/// The last stacks of all threads.
#[derive(Default)]
pub struct Passes {
    logs: RefCell<Vec<Option<Log>>>,
    levels: RefCell<HashMap<u32, Levels, FxBuildHasher>>,
}

impl Passes {
    /// Keeps the stack of an event. Returns its place among those of the thread.
    #[inline]
    pub fn note(&self, thread: u32, recorded: u32) -> u32 {
        let mut logs = self.logs.borrow_mut();
        let slot = thread as usize % THREADS;
        let log = match logs.get_mut(slot) {
            Some(Some(log)) if log.thread == thread => log,
            _ => begin(&mut logs, slot, thread),
        };
        let place = log.next;
        log.stacks[place as usize % STACKS] = recorded;
        log.next = (place + 1) % PLACES;
        place
    }

    /// What a get has in common with later gets or puts, each of which is later than the one before it.
    pub fn common(
        &self,
        get: Moment,
        puts: impl Iterator<Item = Moment>,
        code: &Code,
        numbers: &Numbers,
    ) -> Vec<Common> {
        let levels = |recorded| self.levels(recorded, code, numbers);
        let first = levels(get.recorded);
        let logs = self.logs.borrow();
        let log = logs.get(get.thread as usize % THREADS).and_then(Option::as_ref);
        let log = log.filter(|log| log.thread == get.thread);
        let mut seen = Seen { common: first.len(), is_one_pass: true };
        let (mut before, mut at, mut is_lost) = (Rc::clone(&first), 0, false);
        puts.map(|put| {
            if get.thread != put.thread {
                return Common::default();
            }
            let distance = distance(get.place, put.place);
            is_lost |= distance > MOST_STEPS;
            while at < distance && !is_lost {
                at += 1;
                match log.and_then(|log| log.stack(get.place.wrapping_add(at))) {
                    Some(recorded) => {
                        let next = levels(recorded);
                        seen.step(&first, &before, &next);
                        before = next;
                    }
                    None => is_lost = true,
                }
            }
            if is_lost { Self::from_afar(&first, &levels(put.recorded)) } else { seen.result() }
        })
        .collect()
    }

    /// What was in between is not known: nobody knows whether a loop has turned.
    fn from_afar(get: &[Level], put: &[Level]) -> Common {
        let mut seen = Seen { common: get.len(), is_one_pass: true };
        seen.step(get, get, put);
        Common { is_one_pass: false, ..seen.result() }
    }

    fn levels(&self, recorded: u32, code: &Code, numbers: &Numbers) -> Levels {
        if let Some(known) = self.levels.borrow().get(&recorded) {
            return Rc::clone(known);
        }
        let new: Levels = levels(recorded, code, numbers).into();
        let mut all = self.levels.borrow_mut();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(recorded, Rc::clone(&new));
        new
    }
}

/// What a get has in common with all that came after it.
struct Seen {
    common: usize,
    is_one_pass: bool,
}

impl Seen {
    /// The next stack of the thread.
    fn step(&mut self, get: &[Level], before: &[Level], next: &[Level]) {
        let shortest = before.len().min(next.len());
        if shortest == 0 {
            self.common = 0;
            return;
        }
        let differs = |at: &usize| before[*at] != next[*at];
        let at = (0..shortest).find(differs).unwrap_or(shortest - 1);
        let (old, new) = (&before[at], &next[at]);
        let is_one_call = old.function == new.function && old.frame == new.frame;
        let common = at + usize::from(is_one_call);
        if common < self.common {
            (self.common, self.is_one_pass) = (common, true);
        }
        if is_one_call && common == self.common && new.position <= get[at].position {
            self.is_one_pass = false;
        }
    }

    fn result(&self) -> Common {
        Common { calls: self.common.min(255) as u8, is_one_pass: self.is_one_pass }
    }
}

/// The functions of a recorder's stack, the outermost first.
fn levels(recorded: u32, code: &Code, numbers: &Numbers) -> Vec<Level> {
    let addresses = numbers.frames(recorded);
    let described = code.get(numbers.get(recorded)).map(|stack| stack.described(code));
    let Some(described) = described else { return Vec::new() };
    let mut all = Vec::with_capacity(described.frames.len());
    let mut inner = None;
    for (frame, &call) in described.frames.iter().zip(&described.calls) {
        // Of inlined functions, the innermost alone is at the address itself.
        let offset = if inner == Some(call) { 0 } else { frame.offset };
        all.push(Level {
            function: frame.identity,
            frame: addresses.get(usize::from(call)).copied().unwrap_or(0),
            position: (frame.line, offset),
        });
        inner = Some(call);
    }
    all.reverse();
    all
}

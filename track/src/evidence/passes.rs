//! Whether a get and a put of one thread were in one call of a function, and in one pass of it.
//!
//! A function's frame has an address. Two events with the same function at the same address are in one call of it,
//! unless the thread has left the function in between: its other events tell. They are in one pass if, between them,
//! the function has not gone back to the line of the get or before it: no loop has turned.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use super::log::{Level, Log, Seen, common, distance};
use crate::code::Code;
use crate::symbols::Frame;
use crate::world::Numbers;

/// The threads whose stacks are kept at the same time.
const THREADS: usize = 1024;
/// So many stacks are looked at between a get and a put.
const MOST_STEPS: u32 = 1 << 12;
/// The most stacks whose levels are remembered.
const REMEMBERED: usize = 1 << 15;

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
    fn of(calls: usize, is_one_pass: bool) -> Self {
        Self { calls: calls.min(255) as u8, is_one_pass }
    }

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
        log.add(recorded)
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
        let mut logs = self.logs.borrow_mut();
        let log = logs.get_mut(get.thread as usize % THREADS).and_then(Option::as_mut);
        let mut log = log.filter(|log| log.thread == get.thread && log.is_kept(get.place));
        let (mut seen, mut known) = (Seen::new(&first), get.place);
        puts.map(|put| {
            if get.thread != put.thread {
                return Common::default();
            }
            let distance = |place| distance(get.place, place);
            match log.as_mut().filter(|_| distance(put.place) <= MOST_STEPS) {
                Some(log) => {
                    if distance(known) < distance(put.place) {
                        log.walk(known, put.place, &first, &mut seen, levels);
                        known = put.place;
                    }
                    Common::of(seen.common, seen.is_one_pass)
                }
                // What was in between is not known: nobody knows whether a loop has turned.
                None => {
                    let put = levels(put.recorded);
                    Common::of(common(&first, &put), false)
                }
            }
        })
        .collect()
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

/// The log of a thread, which takes the place of another thread's.
#[cold]
fn begin(logs: &mut Vec<Option<Log>>, slot: usize, thread: u32) -> &mut Log {
    if slot >= logs.len() {
        logs.resize_with(slot + 1, || None);
    }
    let log = Log::new(thread, logs[slot].as_ref());
    logs[slot].insert(log)
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

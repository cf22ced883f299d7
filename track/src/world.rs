//! What all processes of a session share.

use std::cell::{Cell, RefCell};

use crate::budget::Budget;
use crate::clock::{self, Time};
use crate::code::{Code, Id};
use crate::debug::Places;
use crate::documents::Documents;
use crate::endings::Endings;
use crate::evidence::{Evidence, Passes};
use crate::matching::Distances;
use crate::object::Act;
use crate::options::Options;
use crate::output::Output;
use crate::rates::Rates;

/// The options, the code that was met, the threads, and where reports go.
pub struct World {
    /// The options.
    pub options: Options,
    /// Files, stacks and names.
    pub code: Code,
    /// The memory that all tables may take together.
    pub budget: Budget,
    /// Stacks, and how far they are from each other.
    pub distances: Distances,
    /// The recorders' stacks.
    pub numbers: RefCell<Numbers>,
    /// The last stacks of each thread.
    pub passes: Passes,
    /// The histories of objects that were released.
    pub evidence: Evidence,
    /// The threads.
    pub threads: Threads,
    /// How often references are taken and given back.
    pub rates: Rates,
    /// Which release functions end objects.
    pub endings: Endings,
    /// Where reports go.
    pub output: Output,
    /// Reports that are kept until they are written as documents.
    pub documents: Documents,
    /// The time of the event that is worked on.
    pub now: Cell<Time>,
    /// Stacks for which there was no room.
    pub stacks_lost: Cell<u64>,
    /// Events that did not come: there was no room in the rings, or their threads died.
    pub events_lost: Cell<u64>,
    /// When the last of these was missed.
    pub lost_at: Cell<Time>,
}

impl World {
    /// Before the first event.
    pub fn new(options: Options, output: Output) -> Self {
        let budget = Budget::new(options.max_memory);
        let debug = Places::new(options.debug_dir.as_deref());
        Self {
            options,
            code: Code::new(std::env::current_dir().unwrap_or_default(), debug),
            budget,
            distances: Distances::default(),
            numbers: RefCell::default(),
            passes: Passes::default(),
            evidence: Evidence::default(),
            threads: Threads::default(),
            rates: Rates::default(),
            endings: Endings::default(),
            output,
            documents: Documents::default(),
            now: Cell::new(0),
            stacks_lost: Cell::new(0),
            events_lost: Cell::new(0),
            lost_at: Cell::new(0),
        }
    }

    /// Whether an event may be missing that belongs to an object which was created by this act.
    pub fn is_doubtful(&self, created: Act) -> bool {
        self.events_lost.get() > 0 && clock::is_at_most(created.time, self.lost_at.get())
    }

    /// The bytes in use, without the files' debug information.
    pub fn used(&self) -> usize {
        self.budget.used() + self.code.bytes()
    }
}

/// An event of a thread, for the report of its crash.
#[derive(Debug, Clone, Copy, Default)]
pub struct Last {
    /// "get" and others.
    pub act: &'static str,
    /// The object's address.
    pub address: u64,
    /// By whom.
    pub by: Act,
}

/// The last events of a thread.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    thread: u32,
    count: usize,
    events: [Last; EVENTS],
}

/// The most threads whose kernel numbers are kept. In reports a later thread has only the recorder's number.
const MOST: usize = 1 << 22;
/// Threads whose last events are kept for the report of a crash. If there are more threads, two share a place, and only
/// the events of the one that was active last are kept.
const RECENT: usize = 1024;
/// How many of its last events are kept for each of these threads.
const EVENTS: usize = 4;

/// The kernel's numbers of the threads, and what they did last.
pub struct Threads {
    numbers: RefCell<Vec<i32>>,
    recent: RefCell<Vec<Recent>>,
}

impl Default for Threads {
    fn default() -> Self {
        Self { numbers: RefCell::default(), recent: RefCell::new(vec![Recent::default(); RECENT]) }
    }
}

impl Threads {
    /// A thread's number of the kernel's.
    pub fn begin(&self, number: u32, kernel: i32) {
        let mut numbers = self.numbers.borrow_mut();
        let place = number as usize;
        if place >= MOST {
            return;
        }
        if place >= numbers.len() {
            numbers.resize(place + 1, 0);
        }
        numbers[place] = kernel;
    }

    /// The kernel's number of a thread.
    pub fn kernel_number(&self, number: u32) -> Option<i32> {
        self.numbers.borrow().get(number as usize).copied().filter(|&kernel| kernel != 0)
    }

    /// The number of the thread that the kernel knows by this one: the last that had it.
    pub fn number(&self, kernel: i32) -> Option<u32> {
        let place = self.numbers.borrow().iter().rposition(|&known| known == kernel)?;
        u32::try_from(place).ok()
    }

    /// Keeps an event.
    pub fn note(&self, act: &'static str, address: u64, by: Act) {
        let recent = &mut self.recent.borrow_mut()[by.thread as usize % RECENT];
        if recent.thread != by.thread {
            *recent = Recent { thread: by.thread, ..Recent::default() };
        }
        recent.events[recent.count % EVENTS] = Last { act, address, by };
        recent.count += 1;
    }

    /// What each thread did last.
    pub fn lasts(&self) -> Vec<Last> {
        let recent = self.recent.borrow();
        let used = recent.iter().filter(|recent| recent.count > 0);
        used.map(|recent| recent.events[(recent.count - 1) % EVENTS]).collect()
    }

    /// What a thread did, the last first.
    pub fn last(&self, thread: u32) -> Vec<Last> {
        let recent = self.recent.borrow()[thread as usize % RECENT];
        if recent.thread != thread {
            return Vec::new();
        }
        (1..=recent.count.min(EVENTS)).map(|n| recent.events[(recent.count - n) % EVENTS]).collect()
    }
}

/// Numbers that recorders gave to stacks, and ours. A recorder has one for each thread and for each place of the
/// stack in memory.
#[derive(Default)]
pub struct Numbers {
    pages: Vec<Option<Box<[Known; PAGE]>>>,
    addresses: Vec<u32>,
}

/// A recorder's stack.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Our number, or 0.
    pub id: Id,
    /// Where its frames' addresses are, or 0.
    addresses: u32,
}

const PAGE: usize = 1024;
/// Larger numbers are not believed.
const MOST_STACKS: usize = 1 << 28;

impl Numbers {
    /// Our number of a recorder's stack.
    pub fn get(&self, number: u32) -> Id {
        let page = self.pages.get(number as usize / PAGE).and_then(Option::as_deref);
        page.map_or(0, |page| page[number as usize % PAGE].id)
    }

    /// Keeps our number, and the addresses of the frames, the innermost first, if there is room.
    pub fn set(&mut self, number: u32, id: Id, frames: &[u64], has_room: bool) {
        if number as usize >= MOST_STACKS {
            return;
        }
        let page = number as usize / PAGE;
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let addresses = if has_room { self.keep(frames) } else { 0 };
        let page = self.pages[page].get_or_insert_with(|| Box::new([Known::default(); PAGE]));
        page[number as usize % PAGE] = Known { id, addresses };
    }

    /// The first address, and of the others how far they are from the one before.
    fn keep(&mut self, frames: &[u64]) -> u32 {
        let Some((&first, others)) = frames.split_first() else { return 0 };
        if self.addresses.is_empty() {
            self.addresses.push(0);
        }
        let Ok(place) = u32::try_from(self.addresses.len()) else { return 0 };
        self.addresses.extend([frames.len() as u32, first as u32, (first >> 32) as u32]);
        let mut before = first;
        for &frame in others {
            self.addresses.push(u32::try_from(frame.wrapping_sub(before)).unwrap_or(u32::MAX));
            before = frame;
        }
        place
    }

    /// The addresses of the frames of a recorder's stack: two events whose frames share one were in one activation.
    pub fn frames(&self, number: u32) -> Vec<u64> {
        let page = self.pages.get(number as usize / PAGE).and_then(Option::as_deref);
        let place = page.map_or(0, |page| page[number as usize % PAGE].addresses) as usize;
        if place == 0 {
            return Vec::new();
        }
        let count = self.addresses[place] as usize;
        let first =
            u64::from(self.addresses[place + 1]) | u64::from(self.addresses[place + 2]) << 32;
        let mut frames = vec![first];
        for step in &self.addresses[place + 3..place + 2 + count] {
            frames.push(frames[frames.len() - 1].wrapping_add(u64::from(*step)));
        }
        frames
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.pages.iter().flatten().count() * size_of::<[Known; PAGE]>() + 4 * self.addresses.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_of_stacks() {
        let mut numbers = Numbers::default();
        numbers.set(5, 1, &[0x7fff_0000_1000, 0x7fff_0000_1040, 0x7fff_0000_2000], true);
        numbers.set(5000, 2, &[], true);
        numbers.set(u32::MAX, 3, &[], true);
        assert_eq!([5, 5000, u32::MAX, 6].map(|number| numbers.get(number)), [1, 2, 0, 0]);
        assert_eq!(numbers.frames(5), [0x7fff_0000_1000, 0x7fff_0000_1040, 0x7fff_0000_2000]);
        assert!(numbers.frames(5000).is_empty() && numbers.frames(7).is_empty());
    }
}

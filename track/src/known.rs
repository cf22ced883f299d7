//! Walks that a thread did before.
//!
//! Where a walk leads depends on the registers that it begins with and on the words of the stack that
//! became registers on the way, and on nothing else. If all of them are what they were, the stack is the
//! same: to compare them takes a few nanoseconds, whatever the functions' unwinding tables look like. (The
//! unwinder's own cache is found by return address, and two that meet in it cost a microsecond, each time.)

use crate::processor::{Registers, frame_pointer};
use crate::seam::Caller;
use crate::stacks::{self, Id};
use crate::unwind;

/// More words than this, and the walk is not kept: enough for the usual depth.
const WORDS: usize = 48;
/// Walks that a thread keeps.
const KEPT: usize = 128;
/// So many begin alike: a function that is called from many places.
const ALIKE: usize = 8;
/// Words that one frame may read.
const READ: usize = 24;

/// What a walk depended on: words of the stack, and perhaps the frame pointer that it began with. Most
/// functions use that register for something else, and then neither it nor the word that it was saved in
/// matters.
pub struct Trail {
    generation: Generation,
    words: Words<WORDS>,
    /// What the present frame has read.
    reads: Words<READ>,
    /// The words that the frame pointer's value may have come from.
    pointer: Words<4>,
    /// It may be the one that the walk began with.
    pointer_is_first: bool,
    first_pointer_matters: bool,
    /// It cannot be kept.
    lost: bool,
}

/// The modules by which a walk is done.
type Generation = (usize, u64);

fn generation() -> Generation {
    (unwind::generation(), stacks::epoch())
}

/// Addresses and values.
#[derive(Clone, Copy)]
struct Words<const MOST: usize> {
    length: usize,
    words: [(u64, u64); MOST],
}

impl<const MOST: usize> Words<MOST> {
    const fn new() -> Self {
        Self { length: 0, words: [(0, 0); MOST] }
    }

    fn all(&self) -> &[(u64, u64)] {
        &self.words[..self.length]
    }

    /// False: there is no room.
    fn push(&mut self, word: (u64, u64)) -> bool {
        let place = self.words.get_mut(self.length);
        self.length += usize::from(place.is_some());
        place.map(|place| *place = word).is_some()
    }
}

impl Trail {
    /// Of a walk that begins now.
    pub fn new() -> Self {
        Self {
            generation: generation(),
            words: Words::new(),
            reads: Words::new(),
            pointer: Words::new(),
            pointer_is_first: true,
            first_pointer_matters: false,
            lost: false,
        }
    }

    /// The unwinder has read a word.
    pub fn note(&mut self, address: u64, value: u64) {
        self.lost |= !self.reads.push((address, value));
    }

    /// A frame is done: the registers were `old`, and are those of its caller now.
    pub fn next(&mut self, old: &Registers, new: &Registers) {
        let (old_fp, new_fp) = (frame_pointer(old), frame_pointer(new));
        // Where the frame pointer is used as such, it points into the frame.
        if (old.sp()..=new.sp()).contains(&old_fp) {
            self.keep_pointer();
        }
        if old_fp != new_fp {
            (self.pointer.length, self.pointer_is_first) = (0, false);
        }
        for &word in self.reads.all() {
            if word.1 == new_fp {
                self.lost |= !self.pointer.push(word);
            }
            // A word for the return address is not always equal to the address: it may be signed.
            if word.1 != new_fp || word.1 == new.sp() {
                self.lost |= !self.words.push(word);
            }
        }
        self.reads.length = 0;
    }

    /// The last frame is done: anything may have been what says so.
    pub fn end(&mut self) {
        self.keep_pointer();
        for &word in self.reads.all() {
            self.lost |= !self.words.push(word);
        }
    }

    /// The walk failed.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    fn keep_pointer(&mut self) {
        self.first_pointer_matters |= self.pointer_is_first;
        for &word in self.pointer.all() {
            self.lost |= !self.words.push(word);
        }
    }
}

struct Known {
    ip: u64,
    sp: u64,
    fp: u64,
    fp_matters: bool,
    generation: Generation,
    words: Words<WORDS>,
    stack: Id,
}

/// A thread's walks. Zero: none yet.
pub struct Walks {
    known: [Known; KEPT],
    /// Which of those that begin alike gives way next.
    turn: usize,
}

impl Walks {
    /// The stack of a walk that would begin at `caller`, if it would be one of these.
    pub fn find(&self, caller: Caller) -> Option<Id> {
        let generation = generation();
        let end = unwind::end_of_stack(caller.sp)?;
        let first = first(caller);
        let known = self.known[first..first + ALIKE].iter().find(|known| {
            let is_same = |&(address, value): &(u64, u64)| {
                // SAFETY: between the stack pointer, with which the walk began, and the stack's end.
                address < end - 7 && unsafe { (address as *const u64).read() } == value
            };
            (known.ip, known.sp) == (caller.ip, caller.sp)
                && (known.fp == caller.fp || !known.fp_matters)
                && known.generation == generation
                && known.words.all().iter().all(is_same)
        });
        known.map(|known| known.stack)
    }

    /// Keeps a walk that was done by the modules that are there now.
    pub fn keep(&mut self, caller: Caller, trail: &Trail, stack: Id) {
        if trail.lost || stack == 0 || unwind::end_of_stack(caller.sp).is_none() {
            return;
        }
        self.turn = (self.turn + 1) % ALIKE;
        self.known[first(caller) + self.turn] = Known {
            ip: caller.ip,
            sp: caller.sp,
            fp: caller.fp,
            fp_matters: trail.first_pointer_matters,
            generation: trail.generation,
            words: trail.words,
            stack,
        };
    }
}

/// Where those are kept that begin so.
fn first(caller: Caller) -> usize {
    let hash = (caller.ip ^ caller.sp.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 32) as usize % (KEPT / ALIKE) * ALIKE
}

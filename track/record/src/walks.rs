//! Walks that a thread did before.
//!
//! Where a walk leads depends on the registers that it begins with, and on the words of the stack that became
//! registers on the way, and on nothing else. If all of them are what they were, the stack is the same. The places of
//! these words are kept for each beginning (a *shape*), and the number of the stack for a hash of the words.

use core::sync::atomic::{
    AtomicU16, AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use crate::module;
use crate::seam::Caller;
use crate::stack::Stack;

/// A walk that depends on more words is not kept: enough for the usual depth.
const WORDS: usize = 44;
/// How many words' places are packed into one number, so that the loop over the places costs little.
const GROUP: usize = 4;
/// Shapes that a thread keeps, and how many of those may begin alike.
const SHAPES: usize = 64;
const ALIKE: usize = 4;
/// Stacks that a thread keeps.
const STACKS: usize = 1024;

/// The words that a walk depends on.
pub struct Trail {
    sp: u64,
    length: usize,
    places: [u16; WORDS],
    /// Where the frame pointer's value is: at this place, or nowhere in the stack.
    pointer: Option<u16>,
    /// The frame pointer still has the value that the walk began with.
    pointer_is_first: bool,
    /// The walk depends on this value.
    first_pointer_matters: bool,
    /// The walk cannot be kept.
    is_lost: bool,
}

impl Trail {
    /// Of a walk that begins now.
    pub fn new(caller: Caller) -> Self {
        Self {
            sp: caller.sp,
            length: 0,
            places: [0; WORDS],
            pointer: None,
            pointer_is_first: true,
            first_pointer_matters: false,
            is_lost: false,
        }
    }

    fn place(&mut self, address: u64) -> Option<u16> {
        let place = u16::try_from(address.wrapping_sub(self.sp) / 8).ok();
        self.is_lost |= place.is_none();
        place
    }

    fn places(&self) -> &[u16] {
        self.places.get(..self.length).unwrap_or_default()
    }

    fn last(&self) -> u16 {
        self.places().iter().max().copied().unwrap_or(0)
    }

    fn note(&mut self, place: Option<u16>) {
        let free = self.places.get_mut(self.length);
        match (free, place) {
            (Some(free), Some(place)) => {
                *free = place;
                self.length += 1;
            }
            _ => self.is_lost = true,
        }
    }

    /// The walk depends on the word at an address.
    pub fn depends_on(&mut self, address: u64) {
        let place = self.place(address);
        self.note(place);
    }

    /// The frame pointer comes from an address.
    pub fn has_pointer_from(&mut self, address: u64) {
        self.pointer = self.place(address);
        self.pointer_is_first = false;
    }

    /// The walk depends on the frame pointer. (Most functions use this register for something else: then neither the
    /// register matters nor the word that it was saved in.)
    pub fn depends_on_pointer(&mut self) {
        if self.pointer_is_first {
            self.first_pointer_matters = true;
        } else if let Some(place) = self.pointer.take() {
            self.note(Some(place));
        }
    }

    /// The walk is not to be kept.
    pub fn lose(&mut self) {
        self.is_lost = true;
    }
}

/// The places of the words that walks with one beginning depend on.
struct Shape {
    /// The beginning. 0: none.
    key: AtomicU64,
    /// The last of the places.
    last: AtomicU16,
    /// Whether the walks depend on the frame pointer that they begin with.
    fp_matters: AtomicU16,
    groups: AtomicU32,
    places: [AtomicU64; WORDS / GROUP],
}

/// The end of the words up to the last place.
fn end_of(sp: u64, last: u16) -> u64 {
    sp + 8 * (u64::from(last) + 1)
}

/// A thread's walks. Zeros: none.
pub struct Walks {
    shapes: [Shape; SHAPES],
    /// The hash of each walk, mixed with the number of its stack. If only half of an entry was written, the two do not
    /// fit each other, and the entry is not used.
    hashes: [AtomicU64; STACKS],
    stacks: [AtomicU32; STACKS],
    /// Which of those at one place gives way next.
    turn: AtomicU32,
}

/// The beginning of a walk, in a number. Not 0.
#[inline(always)]
fn key(caller: Caller) -> u64 {
    let key = caller.ip.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ caller.sp.rotate_left(20);
    (key ^ module::generation()).wrapping_mul(0xd6e8_feb8_6659_fd93) | 1
}

/// A factor for each word.
const FACTORS: [[u64; GROUP]; WORDS / GROUP] = factors();

const fn factors() -> [[u64; GROUP]; WORDS / GROUP] {
    let mut factors = [[0; GROUP]; WORDS / GROUP];
    let (mut factor, mut index) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    while index < WORDS {
        factor = (factor ^ factor >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        factor = (factor ^ factor >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
        factors[index / GROUP][index % GROUP] = factor | 1;
        index += 1;
    }
    factors
}

/// Places in a number. The largest is in the highest bits. Too few are filled up with the last one.
fn group(places: &[u16]) -> u64 {
    let mut group = [0; GROUP];
    for (at, to) in group.iter_mut().enumerate() {
        *to = places.get(at).or(places.last()).copied().unwrap_or(0);
    }
    let largest = (0..GROUP).max_by_key(|&at| group.get(at)).unwrap_or(0);
    group.swap(largest, GROUP - 1);
    group.iter().rev().fold(0, |all, &place| all << 16 | u64::from(place))
}

impl Walks {
    /// Forgets the shapes. The stacks may stay: a hash is of all that a stack depends on.
    pub fn clear(&self) {
        self.shapes.iter().for_each(|shape| shape.key.store(0, Relaxed));
    }

    fn shapes(&self, key: u64) -> &[Shape] {
        let first = (key >> 32) as usize % (SHAPES / ALIKE) * ALIKE;
        self.shapes.get(first..first + ALIKE).unwrap_or_default()
    }

    /// The stack of a walk that would begin at `caller`, if it would be one of these.
    #[inline(always)]
    pub fn find(&self, caller: Caller, stack: &Stack) -> Option<u32> {
        let key = key(caller);
        let mut alike = self.shapes(key).iter().filter(|shape| shape.key.load(Relaxed) == key);
        alike.find_map(|shape| self.stack(shape.hash(key, caller, stack)?))
    }

    #[inline(always)]
    fn stack(&self, hash: u64) -> Option<u32> {
        places(hash).into_iter().find_map(|place| {
            let (kept, stack) = (self.hashes.get(place)?, self.stacks.get(place)?);
            let (kept, stack) = (kept.load(Relaxed), stack.load(Relaxed));
            (kept ^ u64::from(stack) == hash && stack != 0).then_some(stack)
        })
    }

    /// Keeps a walk.
    pub fn keep(&self, caller: Caller, trail: &Trail, stack: &Stack, number: u32) {
        if trail.is_lost || number == 0 || end_of(caller.sp, trail.last()) > stack.end() {
            return;
        }
        let (key, turn) = (key(caller), self.turn.load(Relaxed));
        self.turn.store(turn.wrapping_add(1), Relaxed);
        let alike = self.shapes(key);
        let known = alike.iter().find(|shape| shape.key.load(Relaxed) == key && shape.is(trail));
        let next = || alike.get(turn as usize % ALIKE).inspect(|shape| shape.set(key, trail));
        let hash = known.or_else(next).and_then(|shape| shape.hash(key, caller, stack));
        let Some(hash) = hash else { return };
        if let Some(place) = places(hash).get(turn as usize % 2)
            && let (Some(kept), Some(stack)) = (self.hashes.get(*place), self.stacks.get(*place))
        {
            kept.store(hash ^ u64::from(number), Relaxed);
            stack.store(number, Relaxed);
        }
    }
}

/// The two places that a hash may be at.
#[inline(always)]
fn places(hash: u64) -> [usize; 2] {
    let place = (hash >> 32) as usize % STACKS;
    [place, place ^ 1]
}

impl Shape {
    /// A number of all that a walk from `caller` depends on: each word times its factor. `None` if it would read where
    /// the stack may not be readable.
    #[inline(always)]
    fn hash(&self, key: u64, caller: Caller, stack: &Stack) -> Option<u64> {
        let last = self.last.load(Relaxed);
        if end_of(caller.sp, last) > stack.end() {
            return None;
        }
        let mut hash = key;
        if self.fp_matters.load(Relaxed) != 0 {
            hash ^= caller.fp.rotate_left(32);
        }
        let groups = self.groups.load(Relaxed) as usize;
        for (group, factors) in self.places.iter().zip(&FACTORS).take(groups) {
            let group = group.load(Relaxed);
            // A call that has lost its level may read while another one keeps a shape here.
            if group >> 48 > last.into() {
                return None;
            }
            for (at, factor) in factors.iter().enumerate() {
                let place = group >> (16 * at) & 0xffff;
                // SAFETY: no place of a group is above its largest one, and up to `last` the stack is readable.
                let word = unsafe { ((caller.sp + 8 * place) as *const u64).read_volatile() };
                hash = hash.wrapping_add(word.wrapping_mul(*factor));
            }
        }
        Some(hash)
    }

    /// Whether a walk depends on the words at these places.
    fn is(&self, trail: &Trail) -> bool {
        self.fp_matters.load(Relaxed) == u16::from(trail.first_pointer_matters)
            && self.groups.load(Relaxed) as usize == trail.places().len().div_ceil(GROUP)
            && self
                .places
                .iter()
                .zip(trail.places().chunks(GROUP))
                .all(|(kept, places)| kept.load(Relaxed) == group(places))
    }

    fn set(&self, key: u64, trail: &Trail) {
        let places = trail.places();
        self.key.store(0, Relaxed);
        compiler_fence(SeqCst);
        self.last.store(trail.last(), Relaxed);
        self.fp_matters.store(trail.first_pointer_matters.into(), Relaxed);
        self.groups.store(places.len().div_ceil(GROUP) as u32, Relaxed);
        for (kept, places) in self.places.iter().zip(places.chunks(GROUP)) {
            kept.store(group(places), Relaxed);
        }
        compiler_fence(SeqCst);
        self.key.store(key, Relaxed);
    }
}

//! Walks that a thread did before.
//!
//! Where a walk leads depends on the registers that it begins with, and on the words of the stack that became
//! registers on the way, and on nothing else. If all of them are what they were, the stack is the same. A walk is kept
//! as the places of these words and a hash of their values.

use core::iter;
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
/// The words are read in groups of so many, so that the loop over them costs little.
const GROUP: usize = 4;
/// Walks that a thread keeps.
const KEPT: usize = 128;
/// So many may begin alike: a function that is called from many places.
const ALIKE: usize = 8;

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

/// A walk.
struct Known {
    ip: AtomicU64,
    sp: AtomicU64,
    fp: AtomicU64,
    hash: AtomicU64,
    stack: AtomicU32,
    /// Whether `fp` matters.
    fp_matters: AtomicU16,
    groups: AtomicU16,
    /// A number of the places: walks by the same functions have the same one.
    shape: AtomicU32,
    /// The last place.
    last: AtomicU16,
    places: Places,
}

/// The places of words. Those of the last group are filled up with the last place.
type Places = [[AtomicU16; GROUP]; WORDS / GROUP];

/// A thread's walks. Zeros: none.
pub struct Walks {
    /// What is to be compared first: the beginning of each walk, in a number.
    keys: [AtomicU64; KEPT],
    known: [Known; KEPT],
    /// Which of those that begin alike gives way next.
    turn: AtomicU32,
}

/// The beginning of a walk, in a number. Not 0.
fn key(caller: Caller) -> u64 {
    let key = caller.ip.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ caller.sp.rotate_left(20);
    (key ^ module::generation()).wrapping_mul(0xd6e8_feb8_6659_fd93) | 1
}

/// Where those are kept that begin so.
fn first(key: u64) -> usize {
    (key >> 32) as usize % (KEPT / ALIKE) * ALIKE
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

/// The values of the words of so many groups, in a number: each word times its factor. No place behind `last` is read.
///
/// # Safety
/// The stack is readable up to there.
#[inline]
unsafe fn hash(sp: u64, places: &Places, groups: u16, last: u16) -> u64 {
    let mut hash = 0_u64;
    for (places, factors) in places.iter().zip(&FACTORS).take(groups.into()) {
        for (place, factor) in places.iter().zip(factors) {
            // A call that has lost its level may read while another one keeps a walk here.
            let place = place.load(Relaxed).min(last);
            // SAFETY: the caller's promise.
            let word = unsafe { ((sp + 8 * u64::from(place)) as *const u64).read_volatile() };
            hash = hash.wrapping_add(word.wrapping_mul(*factor));
        }
    }
    hash
}

/// The end of the words up to the last place.
fn end_of(sp: u64, last: u16) -> u64 {
    sp + 8 * (u64::from(last) + 1)
}

impl Walks {
    /// Forgets all.
    pub fn clear(&self) {
        self.keys.iter().for_each(|key| key.store(0, Relaxed));
    }

    /// The stack of a walk that would begin at `caller`, if it would be one of these.
    #[inline]
    pub fn find(&self, caller: Caller, stack: &Stack) -> Option<u32> {
        let key = key(caller);
        let first = first(key);
        let keys = self.keys.get(first..first + ALIKE)?;
        let known = self.known.get(first..first + ALIKE)?;
        let alike = keys.iter().zip(known).filter(|(kept, _)| kept.load(Relaxed) == key);
        let mut words = Words { shape: 0, hash: 0 };
        alike.map(|(_, known)| known).find_map(|known| known.is_still(caller, stack, &mut words))
    }

    /// Keeps a walk.
    pub fn keep(&self, caller: Caller, trail: &Trail, stack: &Stack, number: u32) {
        if trail.is_lost || number == 0 {
            return;
        }
        let places = trail.places.get(..trail.length).unwrap_or_default();
        let last = places.iter().max().copied().unwrap_or(0);
        if end_of(caller.sp, last) > stack.end() {
            return;
        }
        let key = key(caller);
        let turn = self.turn.load(Relaxed);
        self.turn.store(turn.wrapping_add(1), Relaxed);
        let turn = turn as usize % ALIKE;
        let place = first(key) + turn;
        let (Some(kept), Some(known)) = (self.keys.get(place), self.known.get(place)) else {
            return;
        };
        kept.store(0, Relaxed);
        compiler_fence(SeqCst);
        known.ip.store(caller.ip, Relaxed);
        known.sp.store(caller.sp, Relaxed);
        known.fp.store(caller.fp, Relaxed);
        known.fp_matters.store(trail.first_pointer_matters.into(), Relaxed);
        known.stack.store(number, Relaxed);
        let groups = places.len().div_ceil(GROUP) as u16;
        known.groups.store(groups, Relaxed);
        known.last.store(last, Relaxed);
        known.shape.store(shape(places), Relaxed);
        let filled_up = places.iter().chain(iter::repeat(&last));
        for (to, from) in known.places.as_flattened().iter().zip(filled_up) {
            to.store(*from, Relaxed);
        }
        // SAFETY: up to the end all is readable.
        let hash = unsafe { hash(caller.sp, &known.places, groups, last) };
        known.hash.store(hash, Relaxed);
        compiler_fence(SeqCst);
        kept.store(key, Relaxed);
    }
}

/// What the words at the places of the last walk are that was looked at.
struct Words {
    /// The places. 0: none yet.
    shape: u32,
    hash: u64,
}

/// A number of some places. Not 0.
fn shape(places: &[u16]) -> u32 {
    let add = |hash: u64, place: &u16| (hash ^ u64::from(*place)).wrapping_mul(0x0100_0000_01b3);
    (places.iter().fold(0xcbf2_9ce4_8422_2325, add) >> 32) as u32 | 1
}

impl Known {
    /// The number of the stack, if a walk from `caller` would be this one.
    #[inline]
    fn is_still(&self, caller: Caller, stack: &Stack, words: &mut Words) -> Option<u32> {
        let begins = self.ip.load(Relaxed) == caller.ip
            && self.sp.load(Relaxed) == caller.sp
            && (self.fp_matters.load(Relaxed) == 0 || self.fp.load(Relaxed) == caller.fp);
        let last = self.last.load(Relaxed);
        if !begins || end_of(caller.sp, last) > stack.end() {
            return None;
        }
        let shape = self.shape.load(Relaxed);
        if shape != words.shape {
            // SAFETY: up to the end all is readable.
            let hash = unsafe { hash(caller.sp, &self.places, self.groups.load(Relaxed), last) };
            *words = Words { shape, hash };
        }
        (words.hash == self.hash.load(Relaxed)).then(|| self.stack.load(Relaxed))
    }
}

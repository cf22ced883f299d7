//! Walks that a thread did before.
//!
//! Where a walk leads depends on the registers that it begins with, and on the words of the stack that became
//! registers on the way, and on nothing else. If all of them are what they were, the stack is the same. A walk is kept
//! as the places of these words and a hash of their values.

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
    length: AtomicU16,
    /// All places are less.
    reach: AtomicU32,
    places: [AtomicU16; WORDS],
}

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
const FACTORS: [u64; WORDS] = factors();

const fn factors() -> [u64; WORDS] {
    let (mut factors, mut factor, mut index) = ([0; WORDS], 0x9e37_79b9_7f4a_7c15_u64, 0);
    while index < WORDS {
        factor = (factor ^ factor >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        factor = (factor ^ factor >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
        factors[index] = factor | 1;
        index += 1;
    }
    factors
}

/// The values of words of the stack, in a number: each word times its factor.
///
/// # Safety
/// The words are readable.
#[inline]
unsafe fn hash(sp: u64, places: impl Iterator<Item = u16>) -> u64 {
    let mut hash = 0_u64;
    for (place, factor) in places.zip(&FACTORS) {
        // SAFETY: the caller's promise.
        let word = unsafe { ((sp + 8 * u64::from(place)) as *const u64).read_volatile() };
        hash = hash.wrapping_add(word.wrapping_mul(*factor));
    }
    hash
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
        alike.map(|(_, known)| known).find_map(|known| known.is_still(caller, stack))
    }

    /// Keeps a walk.
    pub fn keep(&self, caller: Caller, trail: &Trail, stack: &Stack, number: u32) {
        if trail.is_lost || number == 0 {
            return;
        }
        let places = trail.places.get(..trail.length).unwrap_or_default();
        let reach = places.iter().max().map_or(0, |&most| u32::from(most) + 1);
        if caller.sp + 8 * u64::from(reach) > stack.end() {
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
        known.length.store(places.len() as u16, Relaxed);
        known.reach.store(reach, Relaxed);
        for (to, from) in known.places.iter().zip(places) {
            to.store(*from, Relaxed);
        }
        // SAFETY: up to the end all is readable.
        known.hash.store(unsafe { hash(caller.sp, places.iter().copied()) }, Relaxed);
        compiler_fence(SeqCst);
        kept.store(key, Relaxed);
    }
}

impl Known {
    /// The number of the stack, if a walk from `caller` would be this one.
    #[inline]
    fn is_still(&self, caller: Caller, stack: &Stack) -> Option<u32> {
        let begins = self.ip.load(Relaxed) == caller.ip
            && self.sp.load(Relaxed) == caller.sp
            && (self.fp_matters.load(Relaxed) == 0 || self.fp.load(Relaxed) == caller.fp);
        let reach = caller.sp + 8 * u64::from(self.reach.load(Relaxed));
        if !begins || reach > stack.end() {
            return None;
        }
        let length = usize::from(self.length.load(Relaxed));
        let most = self.reach.load(Relaxed) as u16;
        let places = self.places.iter().take(length).map(|place| place.load(Relaxed).min(most));
        // SAFETY: less than the reach, which is not beyond the end, up to which all is readable.
        let hash = unsafe { hash(caller.sp, places) };
        (hash == self.hash.load(Relaxed)).then(|| self.stack.load(Relaxed))
    }
}

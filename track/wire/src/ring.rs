//! A ring of records.
//!
//! Several threads write, and their signal handlers, and several processes. The judge alone reads. A writer takes
//! words at the head with a compare-and-exchange, fills them in, and stores the record's first word last, with
//! release. The first word has the record's own position, so that the judge does not take an old record for a
//! new one. A record may go over the end of the ring and continue at its beginning.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::head::Line;
use crate::record::{Kind, MOST_WORDS};

/// The two positions in front of the words of a ring.
#[repr(C)]
#[derive(Debug)]
pub struct Positions {
    /// The words that were taken since the beginning.
    head: Line<AtomicU64>,
    /// The words that the judge has read.
    tail: Line<AtomicU64>,
}

/// A ring in the shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Ring<'a> {
    positions: &'a Positions,
    words: &'a [AtomicU64],
}

/// A record's first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// What the record says.
    pub kind: u8,
    /// The length of the record in words, this one included.
    pub length: u8,
    /// The process.
    pub process: u16,
}

impl First {
    fn word(self, position: u64) -> u64 {
        u64::from(position as u32)
            | u64::from(self.kind) << 32
            | u64::from(self.length) << 40
            | u64::from(self.process) << 48
    }

    fn of(word: u64, position: u64) -> Option<Self> {
        let first = Self {
            kind: (word >> 32) as u8,
            length: (word >> 40) as u8,
            process: (word >> 48) as u16,
        };
        // A kind is never 0, so a word of zeros is no record.
        (word as u32 == position as u32 && first.kind != 0 && first.length > 0).then_some(first)
    }
}

impl<'a> Ring<'a> {
    /// The ring at `start`, with `bytes` for the positions and the words.
    ///
    /// # Safety
    /// The memory is mapped for `'a`, aligned to a cache line, and was zero at first. All who access it do so by
    /// this type.
    pub unsafe fn at(start: *mut u8, bytes: usize) -> Self {
        let words = (bytes - size_of::<Positions>()) / 8;
        // A power of two, so that a position's word is a mask.
        let words = if words.is_power_of_two() { words } else { words.next_power_of_two() / 2 };
        // SAFETY: as promised. Zeros are positions and words.
        unsafe {
            let positions = &*start.cast::<Positions>();
            let first = start.add(size_of::<Positions>()).cast::<AtomicU64>();
            Self { positions, words: core::slice::from_raw_parts(first, words) }
        }
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        &self.words[position as usize & (self.words.len() - 1)]
    }

    /// Writes a record. `false` if the ring has no room for it now.
    pub fn write(&self, kind: Kind, process: u16, body: &[u64]) -> bool {
        let Some(position) = self.take(1 + body.len() as u64) else { return false };
        for (word, at) in body.iter().zip(position + 1..) {
            self.word(at).store(*word, Relaxed);
        }
        let first = First { kind: kind as u8, length: 1 + body.len() as u8, process };
        // Release: pairs with the acquire in `read`.
        self.word(position).store(first.word(position), Release);
        true
    }

    /// Takes words at the head.
    fn take(&self, words: u64) -> Option<u64> {
        let mut head = self.positions.head.0.load(Relaxed);
        loop {
            // Acquire: pairs with the release in `read`. The judge has read what these words had.
            let tail = self.positions.tail.0.load(Acquire);
            if head + words - tail > self.words.len() as u64 {
                return None;
            }
            match self.positions.head.0.compare_exchange_weak(head, head + words, Relaxed, Relaxed) {
                Ok(_) => return Some(head),
                Err(now) => head = now,
            }
        }
    }

    /// Reads the next record's words behind the first one into `body`. `None` if there is none, or if its writer
    /// has not finished it yet.
    pub fn read(&self, body: &mut [u64; MOST_WORDS]) -> Option<First> {
        let position = self.positions.tail.0.load(Relaxed);
        // Acquire: pairs with the release in `write`.
        let first = First::of(self.word(position).load(Acquire), position)?;
        for (word, at) in body.iter_mut().zip(position + 1..).take(usize::from(first.length) - 1) {
            *word = self.word(at).load(Relaxed);
        }
        // Release: pairs with the acquire in `take`.
        self.positions.tail.0.store(position + u64::from(first.length), Release);
        Some(first)
    }

    /// Whether a writer has taken words at the tail and has not finished their record.
    pub fn has_unfinished(&self) -> bool {
        let position = self.positions.tail.0.load(Relaxed);
        self.positions.head.0.load(Relaxed) != position
            && First::of(self.word(position).load(Acquire), position).is_none()
    }

    /// Goes over words whose writer has died: to the next position that a record has, or to the head.
    pub fn skip(&self) {
        let head = self.positions.head.0.load(Relaxed);
        let mut position = self.positions.tail.0.load(Relaxed);
        while position < head && First::of(self.word(position).load(Acquire), position).is_none() {
            position += 1;
        }
        self.positions.tail.0.store(position, Release);
    }
}

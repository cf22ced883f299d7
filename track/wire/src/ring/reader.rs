//! The judge's view of a ring.

use super::{First, Ring, UNFINISHED};
use crate::record::MOST_WORDS;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// Reads a ring's records. There is one reader.
#[derive(Debug)]
pub struct Reader<'a> {
    ring: Ring<'a>,
    /// The position of the next record.
    position: u64,
    /// The tail that the writers see. It lags behind, since each change of it costs the writers a cache miss.
    tail: u64,
}

/// What stands in the way of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// All records were read.
    Nothing,
    /// There is a finished record.
    Record,
    /// A writer has taken words, and has not finished: the low bits of the thread's number, if they are known.
    Unfinished(Option<u16>),
}

impl<'a> Reader<'a> {
    /// Reads a ring from where the last reader has given back.
    pub fn new(ring: Ring<'a>) -> Self {
        let tail = ring.positions.tail.0.load(Relaxed);
        Self { ring, position: tail, tail }
    }

    fn first(&self) -> Option<First> {
        // Acquire: pairs with the release in `Ring::finish`.
        First::of(self.ring.word(self.position).load(Acquire), self.position)
    }

    /// Reads the next record's words behind the first one into `body`. `None` if there is none, or if its writer
    /// has not finished.
    pub fn read(&mut self, body: &mut [u64; MOST_WORDS]) -> Option<First> {
        let first = self.first().filter(|first| first.kind != UNFINISHED);
        let Some(first) = first else {
            self.give_back(0);
            return None;
        };
        let positions = self.position + 1..;
        for (word, at) in body.iter_mut().zip(positions).take(usize::from(first.length) - 1) {
            *word = self.take_out(at);
        }
        self.position += u64::from(first.length);
        self.give_back(self.ring.words.len() as u64 / 8);
        Some(first)
    }

    /// Reads a word that is about to be given back. A later writer may take the word as the first of its record, and
    /// not have written anything yet. So the word must not look like a first word there, whatever a record's body has.
    fn take_out(&self, position: u64) -> u64 {
        let place = self.ring.word(position);
        let word = place.load(Relaxed);
        if core::ptr::eq(self.ring.word(word), place) && First::of(word, word).is_some() {
            place.store(0, Relaxed); // before `give_back`'s release
        }
        word
    }

    /// Gives the words that were read back to the writers, if they are more than `least`.
    fn give_back(&mut self, least: u64) {
        if self.position - self.tail > least {
            self.tail = self.position;
            // Release: pairs with the acquire in `Ring::is_full`.
            self.ring.positions.tail.0.store(self.tail, Release);
        }
    }

    /// The position of the next record.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The position behind the last record that writers have begun.
    pub fn end(&self) -> u64 {
        // The program may have overwritten the head.
        self.head().clamp(self.position, self.position + self.ring.words.len() as u64)
    }

    /// The unread part of the ring: from 0 (empty) to 1 (full).
    pub fn fill(&self) -> f64 {
        (self.end() - self.position) as f64 / self.ring.words.len() as f64
    }

    fn head(&self) -> u64 {
        self.ring.positions.taking.0.head.load(Relaxed) >> 16
    }

    /// What the next call of `read` will find.
    pub fn next(&self) -> Next {
        match self.first() {
            Some(First { kind: UNFINISHED, process, .. }) => Next::Unfinished(Some(process)),
            Some(_) => Next::Record,
            None if self.head() == self.position => Next::Nothing,
            None => Next::Unfinished(None),
        }
    }

    /// Passes over an unfinished record, whose writer has died: to the next position that a record has, or to
    /// the head.
    pub fn skip(&mut self) {
        let end = self.end();
        match self.first() {
            Some(First { kind: UNFINISHED, length, .. }) => {
                for _ in 0..length {
                    self.pass();
                }
            }
            Some(_) => {}
            None => {
                while self.position < end && self.first().is_none() {
                    self.pass();
                }
            }
        }
        self.give_back(0);
    }

    fn pass(&mut self) {
        self.take_out(self.position);
        self.position += 1;
    }
}

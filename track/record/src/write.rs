//! A record into a ring.
//!
//! A signal handler may interrupt a thread here, and may jump out of the recorder with siglongjmp(), or fork. So each
//! level of a thread keeps a journal of the record that it writes. If the thread finds at a later event that it has
//! left a record unfinished, the thread gives the record up ([`Journal::repair`]).

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use wire::head::{Head, LOSSY};
use wire::record::{Kind, NO_NUMBER};
use wire::ring::{First, Ring};

use crate::thread::Guard;
use crate::{clock, processor, session};

/// The record that a thread writes at one level. Zeros: none.
pub struct Journal {
    /// [`TAKING`] or [`TAKEN`], the record's length, and the ring.
    taking: AtomicU32,
    position: AtomicU64,
    /// The number of the event plus 2, or [`NUMBERING`]; 0 if the record has none yet.
    number: AtomicU64,
    /// The last number that this level has taken, plus 1.
    last: AtomicU64,
}

/// The thread tries to take words of a ring.
const TAKING: u32 = 1;
/// The thread has taken words.
const TAKEN: u32 = 2;
/// The thread takes a number.
const NUMBERING: u64 = 1;

impl Journal {
    fn begin(&self, ring: u32, length: u8) {
        self.number.store(0, Relaxed);
        self.note(ring, length, TAKING);
    }

    fn note(&self, ring: u32, length: u8, state: u32) {
        self.taking.store(ring << 16 | u32::from(length) << 8 | state, Relaxed);
    }

    /// Forgets what another thread has written here.
    pub fn reset(&self) {
        self.taking.store(0, Relaxed);
        self.last.store(0, Relaxed);
    }

    /// Gives up a record that was left unfinished. The calling thread is the one that has begun it.
    #[cold]
    pub fn repair(&self, guard: &Guard) {
        let noted = self.taking.swap(0, Relaxed);
        let (state, length) = (noted & 0xff, (noted >> 8) as u8);
        let number = self.number.load(Relaxed);
        if state == 0 {
            return;
        }
        let position = self.position.load(Relaxed);
        if let Some(ring) = session::ring(noted >> 16) {
            let tag = guard.number as u16;
            let is_unfinished = ring.is_unfinished(position, length, tag)
                || (state == TAKING && ring.has_taken(position, length, tag));
            if is_unfinished {
                ring.fill(position, 0, number.checked_sub(2).unwrap_or(NO_NUMBER));
                let process = guard.process as u16;
                ring.finish(position, First { kind: Kind::Void as u8, length, process });
            }
        }
        if number == NUMBERING
            && let Some(head) = session::head()
        {
            let range = [self.last.load(Relaxed), head.sequence.0.load(Relaxed)];
            plain(Kind::Lost, guard.process, &range);
        }
    }
}

/// Writes a record of `words` words, which `word` computes. Word 0 of an event is the event's number, which this
/// function takes when all else is ready. `false`: the record was dropped.
#[inline]
pub fn record(guard: &mut Guard, kind: Kind, words: u8, word: impl Fn(u64) -> u64) -> bool {
    let length = 1 + words;
    loop {
        if !guard.is_valid() && !guard.renew() {
            return false;
        }
        let (tag, process) = (guard.number as u16, guard.process as u16);
        let Some(head) = session::head() else { return false };
        let Some((index, ring)) = session::ring_of(guard.number) else { return false };
        let journal = guard.journal();
        if let Some(journal) = journal {
            journal.begin(index, length);
        }
        let taken = ring.take(length, tag, |position| {
            if let Some(journal) = journal {
                journal.position.store(position, Relaxed);
            }
        });
        let Some(position) = taken else {
            if let Some(journal) = journal {
                journal.taking.store(0, Relaxed);
            }
            if !wait_for_room(head, ring, length) {
                return false;
            }
            continue;
        };
        if let Some(journal) = journal {
            journal.note(index, length, TAKEN);
        }
        let is_event = kind.is_event();
        // In a fork's child, and after a jump out of a handler, the words are somebody else's. A thread may find
        // that between any two words.
        let filled = (u64::from(is_event)..words.into()).all(|at| {
            let is_valid = guard.is_valid();
            if is_valid {
                ring.fill(position, at, word(at));
            }
            is_valid
        });
        if !filled {
            continue;
        }
        if is_event {
            if let Some(journal) = journal {
                journal.number.store(NUMBERING, Relaxed);
            }
            // Relaxed: two events of which one happens before the other take their numbers in this order.
            let number = head.sequence.0.fetch_add(1, Relaxed);
            if let Some(journal) = journal {
                journal.number.store(number + 2, Relaxed);
                journal.last.store(number + 1, Relaxed);
            }
            if !guard.is_valid() {
                continue;
            }
            ring.fill(position, 0, number);
        }
        if guard.is_valid() {
            ring.finish(position, First { kind: kind as u8, length, process });
            if let Some(journal) = journal {
                journal.taking.store(0, Relaxed);
            }
            return true;
        }
    }
}

/// Writes a record that is no event, without a journal: where a thread has none yet.
#[cold]
pub fn plain(kind: Kind, process: u32, body: &[u64]) -> bool {
    let length = 1 + body.len() as u8;
    loop {
        let Some(head) = session::head() else { return false };
        let Some((_, ring)) = session::ring_of(process) else { return false };
        let Some(position) = ring.take(length, 0, |_| {}) else {
            if !wait_for_room(head, ring, length) {
                return false;
            }
            continue;
        };
        for (word, at) in body.iter().zip(0..) {
            ring.fill(position, at, *word);
        }
        ring.finish(position, First { kind: kind as u8, length, process: process as u16 });
        return true;
    }
}

/// Waits until a full ring has room. `false`: the record is to be dropped.
#[cold]
#[inline(never)]
fn wait_for_room(head: &'static Head, ring: Ring<'static>, length: u8) -> bool {
    if head.settings.flags & LOSSY != 0 {
        head.dropped.fetch_add(1, Relaxed);
        return false;
    }
    let mut patience = Patience::new(head);
    while !ring.has_room(length) {
        if !patience.wait() {
            return false;
        }
    }
    true
}

/// Waiting for the judge, which may be gone.
pub struct Patience {
    head: &'static Head,
    beat: u32,
    since: u64,
}

/// Nanoseconds after which a judge that does not beat is gone.
const SILENCE: u64 = 2_000_000_000;
/// Pauses between two looks.
const PAUSES: u32 = 64;

impl Patience {
    /// From now on.
    pub fn new(head: &'static Head) -> Self {
        Self { head, beat: head.beat.0.load(Relaxed), since: clock::now() }
    }

    /// Waits for a moment, without a system call. `false`: the judge is gone, and nothing is recorded from now on.
    pub fn wait(&mut self) -> bool {
        (0..PAUSES).for_each(|_| processor::pause());
        let beat = self.head.beat.0.load(Relaxed);
        let now = clock::now();
        if beat != self.beat {
            (self.beat, self.since) = (beat, now);
        }
        let is_there = now.saturating_sub(self.since) < SILENCE && session::head().is_some();
        if !is_there {
            session::give_up();
        }
        is_there
    }
}

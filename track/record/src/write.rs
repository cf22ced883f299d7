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
    /// Changes with each record, and when a record is given up.
    generation: AtomicU64,
}

/// The thread tries to take words of a ring.
const TAKING: u32 = 1;
/// The thread has taken words.
const TAKEN: u32 = 2;
/// The thread takes a number.
const NUMBERING: u64 = 1;

impl Journal {
    /// Begins a record. Returns its generation.
    fn begin(&self, ring: u32, length: u8) -> u64 {
        let generation = self.generation.load(Relaxed) + 1;
        self.generation.store(generation, Relaxed);
        self.number.store(0, Relaxed);
        self.note(ring, length, TAKING);
        generation
    }

    fn note(&self, ring: u32, length: u8, state: u32) {
        self.taking.store(ring << 16 | u32::from(length) << 8 | state, Relaxed);
    }

    /// Forgets what another thread has written here.
    pub fn reset(&self) {
        self.taking.store(0, Relaxed);
        self.last.store(0, Relaxed);
    }

    /// Marks words that a call has taken when it was interrupted. The calling handler may take others, and then nobody
    /// could say any more who has taken the first ones.
    #[cold]
    pub fn mark(&self, guard: &Guard) {
        let noted = self.taking.load(Relaxed);
        let (position, length) = (self.position.load(Relaxed), (noted >> 8) as u8);
        if noted & 0xff == TAKING
            && let Some(ring) = session::ring(noted >> 16)
            && ring.has_taken(position, length, guard.number as u16)
        {
            ring.mark(position, length, guard.number as u16);
        }
    }

    /// Gives up a record that was left unfinished. The calling thread is the one that has begun it. If the call that
    /// has begun it goes on, it writes the record anew.
    #[cold]
    pub fn repair(&self, guard: &Guard) {
        self.generation.fetch_add(1, Relaxed);
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
    loop {
        if !guard.is_valid() && !guard.renew() {
            return false;
        }
        match attempt(guard, kind, 1 + words, &word) {
            Outcome::Recorded => return true,
            Outcome::Interrupted => {}
            Outcome::NoRoom(head, ring) => {
                guard.let_go_of_records();
                if !wait_for_room(head, ring, 1 + words) {
                    return false;
                }
            }
            Outcome::Gone => return false,
        }
    }
}

enum Outcome {
    Recorded,
    /// The words were given up, by a handler that had to wait; or this is a fork's child now.
    Interrupted,
    NoRoom(&'static Head, Ring<'static>),
    Gone,
}

#[inline]
fn attempt(guard: &Guard, kind: Kind, length: u8, word: impl Fn(u64) -> u64) -> Outcome {
    let Some(head) = session::head() else { return Outcome::Gone };
    let Some((index, ring)) = session::ring_of(guard.number) else { return Outcome::Gone };
    let (tag, process) = (guard.number as u16, guard.process as u16);
    let Some(journal) = guard.journal() else {
        return attempt_without_journal(guard, kind, length, word);
    };
    let generation = journal.begin(index, length);
    let taken = ring.take(length, tag, |position| journal.position.store(position, Relaxed));
    let Some(position) = taken else {
        journal.taking.store(0, Relaxed);
        return Outcome::NoRoom(head, ring);
    };
    // The words may become somebody else's between any two stores.
    let is_ours = || journal.generation.load(Relaxed) == generation && guard.is_valid();
    if !is_ours() {
        return Outcome::Interrupted;
    }
    ring.mark(position, length, tag);
    journal.note(index, length, TAKEN);
    let first = u64::from(kind.is_event());
    for at in first..u64::from(length) - 1 {
        let word = word(at);
        if !is_ours() {
            return Outcome::Interrupted;
        }
        ring.fill(position, at, word);
    }
    let mut number_taken = None;
    if kind.is_event() {
        journal.number.store(NUMBERING, Relaxed);
        // Relaxed: two events of which one happens before the other take their numbers in this order.
        let number = head.sequence.0.fetch_add(1, Relaxed);
        journal.number.store(number + 2, Relaxed);
        journal.last.store(number + 1, Relaxed);
        number_taken = Some(number);
    }
    if !is_ours() {
        if let Some(number) = number_taken.filter(|_| guard.is_valid()) {
            plain(Kind::Void, guard.process, &[number]);
        }
        return Outcome::Interrupted;
    }
    if let Some(number) = number_taken {
        ring.fill(position, 0, number);
    }
    ring.finish(position, First { kind: kind as u8, length, process });
    journal.taking.store(0, Relaxed);
    Outcome::Recorded
}

/// For a thread that has no state, and for a level that was taken over.
#[cold]
fn attempt_without_journal(
    guard: &Guard,
    kind: Kind,
    length: u8,
    word: impl Fn(u64) -> u64,
) -> Outcome {
    let Some(head) = session::head() else { return Outcome::Gone };
    let Some((_, ring)) = session::ring_of(guard.number) else { return Outcome::Gone };
    let (tag, process) = (guard.number as u16, guard.process as u16);
    let Some(position) = ring.take(length, tag, |_| {}) else {
        return Outcome::NoRoom(head, ring);
    };
    ring.mark(position, length, tag);
    for at in u64::from(kind.is_event())..u64::from(length) - 1 {
        let word = word(at);
        if !guard.is_valid() {
            return Outcome::Interrupted;
        }
        ring.fill(position, at, word);
    }
    if kind.is_event() {
        ring.fill(position, 0, head.sequence.0.fetch_add(1, Relaxed));
    }
    ring.finish(position, First { kind: kind as u8, length, process });
    Outcome::Recorded
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
        ring.mark(position, length, 0);
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

//! A record into a ring.
//!
//! A signal handler may interrupt a thread here, and may jump out of the recorder with siglongjmp(), or fork. So each
//! level of a thread keeps a journal of the record that it writes. If the thread finds at a later event that it has
//! left a record unfinished, the thread gives the record up ([`Journal::repair`]).

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use wire::head::Head;
use wire::record::{Kind, NO_NUMBER};
use wire::ring::{First, Ring, Taken, Writers};

use crate::thread::{Guard, Level};
use crate::{session, wait};

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
/// The thread has not looked yet where the words are.
const NOWHERE: u64 = u64::MAX;
/// The thread takes a number.
const NUMBERING: u64 = 1;

impl Journal {
    /// Begins a record. Returns its generation.
    fn begin(&self, ring: u32, length: u8) -> u64 {
        let generation = self.generation.load(Relaxed) + 1;
        self.generation.store(generation, Relaxed);
        self.number.store(0, Relaxed);
        // The position is still that of the record before.
        self.position.store(NOWHERE, Relaxed);
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
            && position != NOWHERE
            && let Some(ring) = session::ring(noted >> 16)
            && ring.has_taken(position, length, guard.number as u16)
            // Not a record that an earlier handler has finished there.
            && ring.is_open(position, length, guard.number as u16)
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
            // `mark` has marked the words, if they were taken.
            if ring.is_unfinished(position, length, tag) {
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

/// What a record says: the first words of its body, and a function for the others. Word 0 of an event is the event's
/// number, which is taken when there is room for the record.
pub struct Body<'a, const FRONT: usize, Rest> {
    /// What the record is.
    pub kind: Kind,
    /// The first words.
    pub front: &'a [u64; FRONT],
    /// How many others there are.
    pub others: usize,
    /// Computes one of the others, by its index among them.
    pub other: Rest,
}

impl<const FRONT: usize, Rest: Fn(usize) -> u64> Body<'_, FRONT, Rest> {
    fn length(&self) -> u8 {
        (1 + FRONT + self.others) as u8
    }

    /// Stores the words as long as they are the caller's. `false`: they are not any more.
    #[inline(always)]
    fn fill(&self, ring: &Ring<'_>, position: u64, is_ours: impl Fn() -> bool) -> bool {
        for (word, at) in self.front.iter().zip(0..) {
            if !is_ours() {
                return false;
            }
            ring.fill(position, at, *word);
        }
        for at in 0..self.others {
            let word = (self.other)(at);
            if !is_ours() {
                return false;
            }
            ring.fill(position, (FRONT + at) as u64, word);
        }
        true
    }
}

/// Writes a record. `false`: it was dropped.
#[inline(always)]
pub fn record<const FRONT: usize, Rest: Fn(usize) -> u64>(
    guard: &mut Guard,
    body: Body<'_, FRONT, Rest>,
) -> bool {
    loop {
        let outcome = match guard.level() {
            _ if !guard.is_valid() => Outcome::Interrupted,
            Some(level) => attempt(guard, level, &body),
            None => attempt_without_journal(guard, &body),
        };
        if matches!(outcome, Outcome::Recorded) {
            return true;
        }
        if !can_try_again(&outcome, guard, body.length()) {
            return false;
        }
    }
}

/// Makes ready for another attempt. `false`: there is to be none.
#[cold]
#[inline(never)]
fn can_try_again(outcome: &Outcome, guard: &mut Guard, length: u8) -> bool {
    match *outcome {
        Outcome::Recorded | Outcome::Gone => false,
        Outcome::Interrupted => guard.is_valid() || guard.renew(),
        Outcome::Lost(number) => {
            // In a fork's child the number is the parent's.
            let is_own = guard.is_in_process();
            if !guard.is_valid() && !guard.renew() {
                return false;
            }
            if is_own {
                give_up(guard, number);
            }
            true
        }
        Outcome::NoRoom(head, ring) => {
            guard.let_go_of_records();
            wait::for_room(head, ring, length)
        }
    }
}

enum Outcome {
    Recorded,
    /// The words were given up, by a handler that had to wait; or this is a fork's child now.
    Interrupted,
    /// The same, and the record had this number.
    Lost(u64),
    NoRoom(&'static Head, &'static Ring<'static>),
    Gone,
}

#[inline(always)]
fn attempt<const FRONT: usize, Rest: Fn(usize) -> u64>(
    guard: &Guard,
    level: &Level,
    body: &Body<'_, FRONT, Rest>,
) -> Outcome {
    let Some(head) = session::head() else { return Outcome::Gone };
    let Some(ring) = session::ring(guard.ring) else { return Outcome::Gone };
    let (tag, process, length) = (guard.number as u16, guard.process as u16, body.length());
    let journal = &level.journal;
    let generation = journal.begin(guard.ring, length);
    // The words may become somebody else's between any two stores. A call that loses its level is given up, too. In a
    // fork's child the journal is another one, of zeros.
    let is_ours = || journal.generation.load(Relaxed) == generation;
    let taken = ring.take(length, tag, session::writers(guard.ring), |position| {
        journal.position.store(position, Relaxed);
        is_ours()
    });
    let position = match taken {
        Taken::At(position) => position,
        Taken::NoRoom => {
            journal.taking.store(0, Relaxed);
            return Outcome::NoRoom(head, ring);
        }
        Taken::Nothing => return Outcome::Interrupted,
    };
    // The number comes before the words: an atomic addition waits for the stores before it, and these wait for lines
    // that the judge has read.
    let number = if body.kind.is_event() {
        journal.number.store(NUMBERING, Relaxed);
        // In a fork's child the number would be the parent's.
        if !is_ours() {
            return interrupted(guard, ring, position, length, None);
        }
        // Relaxed: two events of which one happens before the other take their numbers in this order.
        let number = head.sequence.0.fetch_add(1, Relaxed);
        journal.number.store(number + 2, Relaxed);
        journal.last.store(number + 1, Relaxed);
        Some(number)
    } else {
        None
    };
    if !is_ours() {
        return interrupted(guard, ring, position, length, number);
    }
    ring.mark(position, length, tag);
    journal.note(guard.ring, length, TAKEN);
    if !body.fill(ring, position, is_ours) {
        return interrupted(guard, ring, position, length, number);
    }
    if let Some(number) = number {
        ring.fill(position, 0, number);
    }
    ring.prepare(position);
    // A handler may give the record up until the very last moment.
    let first = First { kind: body.kind as u8, length, process };
    if !is_ours() || !ring.finish_marked(position, tag, first) {
        return interrupted(guard, ring, position, length, number);
    }
    journal.taking.store(0, Relaxed);
    Outcome::Recorded
}

/// The handler that has given the record up may have come before its words were taken, or before they were marked.
#[cold]
#[inline(never)]
fn interrupted(
    guard: &Guard,
    ring: &Ring<'_>,
    position: u64,
    length: u8,
    number: Option<u64>,
) -> Outcome {
    let (tag, process) = (guard.number as u16, guard.process as u16);
    if guard.is_in_process() && ring.is_open(position, length, tag) {
        ring.fill(position, 0, NO_NUMBER);
        ring.finish(position, First { kind: Kind::Void as u8, length, process });
    }
    number.map_or(Outcome::Interrupted, Outcome::Lost)
}

/// No event has this number.
#[cold]
fn give_up(guard: &mut Guard, number: u64) {
    let body = Body { kind: Kind::Void, front: &[number], others: 0, other: |_| 0 };
    record(guard, body);
}

/// For a thread that has no state, and for a level that was taken over.
#[cold]
fn attempt_without_journal<const FRONT: usize, Rest: Fn(usize) -> u64>(
    guard: &Guard,
    body: &Body<'_, FRONT, Rest>,
) -> Outcome {
    let Some(head) = session::head() else { return Outcome::Gone };
    let Some(ring) = session::ring(guard.ring) else { return Outcome::Gone };
    let (tag, process, length) = (guard.number as u16, guard.process as u16, body.length());
    let position = match ring.take(length, tag, session::writers(guard.ring), |_| guard.is_valid())
    {
        Taken::At(position) => position,
        Taken::NoRoom => return Outcome::NoRoom(head, ring),
        Taken::Nothing => return Outcome::Interrupted,
    };
    ring.mark(position, length, tag);
    if !body.fill(ring, position, || guard.is_valid()) {
        return Outcome::Interrupted;
    }
    if body.kind.is_event() {
        if !guard.is_valid() {
            return Outcome::Interrupted;
        }
        ring.fill(position, 0, head.sequence.0.fetch_add(1, Relaxed));
    }
    ring.finish(position, First { kind: body.kind as u8, length, process });
    Outcome::Recorded
}

/// Writes a record without a journal: where a thread has none yet.
#[cold]
pub fn plain(kind: Kind, process: u32, body: &[u64]) -> bool {
    let length = 1 + body.len() as u8;
    loop {
        let Some(head) = session::head() else { return false };
        let Some(ring) = session::ring(session::ring_of(process)) else { return false };
        let Taken::At(position) = ring.take(length, 0, Writers::All, |_| true) else {
            if !wait::for_room(head, ring, length) {
                return false;
            }
            continue;
        };
        ring.mark(position, length, 0);
        for (word, at) in body.iter().zip(0..) {
            ring.fill(position, at, *word);
        }
        if kind.is_event() {
            ring.fill(position, 0, head.sequence.0.fetch_add(1, Relaxed));
        }
        ring.finish(position, First { kind: kind as u8, length, process: process as u16 });
        return true;
    }
}

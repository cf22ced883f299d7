//! Reads the rings, and passes over what will never come.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::{Duration, Instant};

use wire::record::{Kind, MOST_WORDS};
use wire::ring::{First, Next, Reader};

use crate::ends;
use crate::judge::{Judge, Origin};

/// A ring, and since when an unfinished record stands in the way.
pub struct Source {
    reader: Reader<'static>,
    stuck: Option<(Next, Instant)>,
    /// The number of the last event that was read from this ring.
    last: u64,
    /// The judge must read up to this position before it gives up a missing event.
    needed: u64,
}

/// The judge begins to ask about an unfinished record after this time.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long an answer about now waits for a record that a thread has begun.
const SOON: Duration = Duration::from_millis(100);
/// The judge reads at most this number of records from a ring, and then goes to the next ring. So no thread can keep the
/// judge from the other rings. And the judge has to keep few events that wait for an earlier event of another ring.
const TURN: usize = 512;

impl Judge {
    /// Reads at most [`TURN`] records from each ring. Returns how many records were read, and whether a ring may have more.
    pub(super) fn read_rings(&mut self) -> (usize, bool) {
        let Origin::Session(session, sources) = &mut self.origin else { return (0, false) };
        let (session, mut sources) = (Arc::clone(session), std::mem::take(sources));
        session.head().beat.0.fetch_add(1, Relaxed);
        let (mut read, mut is_more, mut end) = (0, false, 0);
        let mut body = [0; MOST_WORDS];
        for source in &mut sources {
            let before = read;
            while read - before < TURN {
                if self.window.is_ahead(source.last) && !source.is_needed() {
                    break;
                }
                let Some(first) = source.reader.read(&mut body) else { break };
                read += 1;
                source.stuck = None;
                let length = usize::from(first.length).saturating_sub(1).min(MOST_WORDS);
                if body[0] >= end {
                    // Acquire: what the records say was there before their numbers were.
                    end = session.head().sequence.0.load(Acquire);
                }
                self.take(first, &body[..length], end);
                if Kind::of(first.kind).is_some_and(Kind::is_event) && self.window.has(body[0]) {
                    source.last = body[0];
                }
            }
            is_more |= read - before == TURN;
        }
        if let Origin::Session(_, place) = &mut self.origin {
            *place = sources;
        }
        (read, is_more)
    }

    /// The unread part of the fullest ring: from 0 (empty) to 1 (full).
    pub fn fill(&self) -> f64 {
        let Origin::Session(_, sources) = &self.origin else { return 0.0 };
        sources.iter().map(|source| source.reader.fill()).fold(0.0, f64::max)
    }

    /// Works on what has happened until now.
    pub fn catch_up(&mut self) {
        let Origin::Session(session, _) = &self.origin else { return };
        let (end, since) = (session.head().sequence.0.load(Acquire), Instant::now());
        while !self.has_reached(end) && since.elapsed() < SOON {
            if self.work() == 0 {
                std::thread::yield_now();
            }
        }
    }

    /// Passes over what will never come: records that nobody finishes, and numbers that nobody writes.
    /// Returns whether an unfinished record stood in the way, or whether more must be read before a missing event can
    /// be given up.
    pub fn give_up(&mut self, nobody_writes: bool) -> bool {
        let mut is_blocked = false;
        let mut is_overdue = self.window.is_overdue();
        let mut dropped = 0;
        if let Origin::Session(session, sources) = &mut self.origin {
            for source in sources.iter_mut() {
                source.look();
                is_blocked |= source.stuck.is_some();
                is_overdue |= source.is_overdue();
            }
            dropped = session.head().dropped.load(Relaxed);
        }
        let turned = match (nobody_writes, is_overdue) {
            (true, _) => Some(Instant::now()),
            (false, true) => {
                // Also those of which nothing else is known yet.
                self.turns.are_over(|| ends::users(std::process::id()))
            }
            (false, false) => None,
        };
        if !is_overdue {
            self.turns.forget();
        }
        if let (Some(turned), Origin::Session(_, sources)) = (turned, &mut self.origin) {
            sources.iter_mut().for_each(|source| source.give_up(turned));
        }
        let is_needed = self.is_more_needed(turned.is_some());
        if let Some(turned) = turned.filter(|_| !is_needed) {
            self.turns.forget();
            for number in self.window.pass_over(turned) {
                if let Some(trace) = &mut self.trace {
                    trace.write(First { kind: Kind::Void as u8, length: 2, process: 0 }, &[number]);
                }
            }
        }
        let (before, lost) = (self.world.events_lost.get(), self.window.passed_over + dropped);
        self.world.events_lost.set(lost);
        if lost > before {
            self.world.lost_at.set(self.world.now.get());
        }
        self.apply_ready();
        is_blocked || is_needed
    }

    /// Whether more has to be read before a missing event can be given up. A writer takes words of a ring before it
    /// takes the event's number. So when the judge finds a number missing, the words of its record are before the end
    /// that the ring has at that time. For a ring of one thread the judge may see the new head late: there the words
    /// are before the end that the ring has after this thread's turn.
    fn is_more_needed(&mut self, all_had_turns: bool) -> bool {
        let noticed = self.window.missing().map(|number| (number, all_had_turns));
        let Origin::Session(_, sources) = &mut self.origin else { return false };
        if noticed.is_some() && noticed != self.noticed {
            sources.iter_mut().for_each(|source| source.needed = source.reader.end());
        }
        self.noticed = noticed;
        noticed.is_some() && sources.iter().any(Source::is_needed)
    }
}

impl Source {
    /// A ring of which nothing has been read.
    pub fn new(reader: Reader<'static>) -> Self {
        Self { reader, stuck: None, last: 0, needed: 0 }
    }

    /// Whether a missing event can be among the records that are not read yet.
    fn is_needed(&self) -> bool {
        self.reader.position() < self.needed
    }

    /// Sees whether there is an unfinished record, and since when.
    fn look(&mut self) {
        let next = self.reader.next();
        self.stuck = match (next, self.stuck) {
            (Next::Unfinished(_), Some((before, since))) if before == next => Some((next, since)),
            (Next::Unfinished(_), _) => Some((next, Instant::now())),
            _ => None,
        };
    }

    /// Whether a record is unfinished for so long that its writer may be gone.
    fn is_overdue(&self) -> bool {
        self.stuck.is_some_and(|(_, since)| since.elapsed() >= PATIENCE)
    }

    /// Passes over a record that is unfinished since before `turned`: each thread has had its turn since then.
    fn give_up(&mut self, turned: Instant) {
        if self.stuck.is_some_and(|(_, since)| since <= turned) {
            self.reader.skip();
            self.stuck = None;
        }
    }
}

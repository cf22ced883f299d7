//! Waiting for the judge, without a system call.

use core::sync::atomic::Ordering::Relaxed;

use wire::head::{Head, LOSSY, Life};
use wire::ring::Ring;

use crate::{clock, processor, session};

/// Waits until a full ring has room. `false`: the record is to be dropped.
#[cold]
#[inline(never)]
pub fn for_room(head: &'static Head, ring: Ring<'static>, length: u8) -> bool {
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

/// Nanoseconds after which a judge that does not beat is gone, if the kernel does not tell.
const SILENCE: u64 = 2_000_000_000;
/// The same for a judge that lives: it is stopped.
const LONG_SILENCE: u64 = 60_000_000_000;
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
        let longest = match self.head.life() {
            Life::Alive => LONG_SILENCE,
            Life::Unknown => SILENCE,
            Life::Dead => 0,
        };
        let is_there = now.saturating_sub(self.since) < longest && session::head().is_some();
        if !is_there {
            session::give_up();
        }
        is_there
    }
}

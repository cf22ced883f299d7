//! Waiting for the judge, without a system call.

use core::sync::atomic::Ordering::Relaxed;

use wire::head::{Head, LOSSY, Life};
use wire::ring::Ring;

use crate::{clock, processor, session};

/// Waits until a full ring has room. `false`: the record is to be dropped.
#[cold]
#[inline(never)]
pub fn for_room(head: &'static Head, ring: &Ring<'static>, length: u8) -> bool {
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
    silence: Silence,
}

/// How long the judge has not beaten while this thread ran.
struct Silence {
    beat: u32,
    /// The time of the last look.
    last: u64,
    lasted: u64,
}

/// Nanoseconds after which a judge that does not look into the rings is gone, if the kernel does not tell.
const SILENCE: u64 = 5_000_000_000;
/// The same for a judge that lives: it is stopped, or waits for somebody who waits for this thread.
const LONG_SILENCE: u64 = 60_000_000_000;
/// Between two looks at most so much counts. The program may have stood still, and the judge with it.
const LONGEST_LOOK: u64 = 100_000_000;
/// Pauses between two looks.
const PAUSES: u32 = 64;

impl Patience {
    /// From now on.
    pub fn new(head: &'static Head) -> Self {
        let beat = head.beat.0.load(Relaxed);
        Self { head, silence: Silence { beat, last: clock::now(), lasted: 0 } }
    }

    /// Waits for a moment, without a system call. `false`: the judge is gone, and nothing is recorded from now on.
    pub fn wait(&mut self) -> bool {
        (0..PAUSES).for_each(|_| processor::pause());
        let silence = self.silence.look(self.head.beat.0.load(Relaxed), clock::now());
        let longest = match self.head.life() {
            Life::Alive => LONG_SILENCE,
            Life::Unknown => SILENCE,
            Life::Dead => 0,
        };
        let is_there = silence < longest && session::head().is_some();
        if !is_there {
            session::give_up();
        }
        is_there
    }
}

impl Silence {
    /// A look at the beat. Returns how long the silence has lasted.
    fn look(&mut self, beat: u32, now: u64) -> u64 {
        let passed = now.saturating_sub(self.last).min(LONGEST_LOOK);
        self.lasted = if beat == self.beat { self.lasted + passed } else { 0 };
        (self.beat, self.last) = (beat, now);
        self.lasted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_program_does_not_count_as_a_silent_judge() {
        let mut silence = Silence { beat: 1, last: 0, lasted: 0 };
        assert_eq!(silence.look(1, 1_000), 1_000);
        let hour = 3600 * 1_000_000_000;
        assert_eq!(silence.look(1, hour), 1_000 + LONGEST_LOOK);
        assert_eq!(silence.look(1, hour + 5), 1_005 + LONGEST_LOOK);
        assert_eq!(silence.look(2, hour + 9), 0);
    }
}

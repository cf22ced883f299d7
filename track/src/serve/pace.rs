//! How long the judge sleeps between two looks at the rings.
//!
//! Each look takes a core from the program for a moment, so the judge should look seldom. But a thread that finds its ring
//! full waits for the judge, so a pause must be short when many records may come. A quiet program may begin to write at any
//! time. If its ring becomes full then, the writing thread waits until the pause ends. So the judge keeps each pause short,
//! compared with the time since the program was last busy.
//!
//! A ring has room for about 20,000 records.

use std::time::{Duration, Instant};

/// A ring that is filled to this part, or more, may be full soon.
const BUSY: f64 = 1.0 / 2.0;
/// If the fullest ring is filled to this part, or more, the judge halves the pause.
const ENOUGH: f64 = 1.0 / 256.0;
/// If the fullest ring is filled to less than this part, the judge doubles the pause.
const FEW: f64 = 1.0 / 512.0;
/// The shortest pause.
pub const SHORTEST: Duration = Duration::from_micros(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(10);
/// A pause is at most the time since the program was last busy, divided by this.
const PART: u32 = 8;

/// The pauses.
pub struct Pace {
    pause: Duration,
    /// When the program was busy last, or asked for something.
    busy: Instant,
}

impl Pace {
    /// For a program that is busy now.
    pub fn new(now: Instant) -> Self {
        Self { pause: SHORTEST, busy: now }
    }

    /// Returns the pause after a look. `fill` says how full the fullest ring was before the look: 1 if it was full. `None`:
    /// the judge looks again at once.
    pub fn after(&mut self, fill: f64, now: Instant) -> Option<Duration> {
        if fill >= BUSY {
            self.busy(now);
            return None;
        }
        let wanted = match fill {
            ENOUGH.. => self.pause / 2,
            FEW.. => self.pause,
            _ => self.pause * 2,
        };
        let longest = (now - self.busy) / PART;
        self.pause = wanted.min(longest).clamp(SHORTEST, LONGEST);
        Some(self.pause)
    }

    /// Notes that the program is busy: a ring is nearly full, or a thread waits for an answer and may ask again soon.
    pub fn busy(&mut self, now: Instant) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The looks at a program in a time. `fill` is how full a ring is after a pause.
    fn looks(
        pace: &mut Pace,
        from: Instant,
        time: Duration,
        fill: impl Fn(Duration) -> f64,
    ) -> u32 {
        let (mut now, mut full, mut looks) = (from, 0.0, 0);
        while now - from < time {
            let pause = pace.after(full, now).unwrap_or(Duration::from_micros(1));
            now += pause;
            full = fill(pause);
            looks += 1;
        }
        looks
    }

    #[test]
    fn a_quiet_program_is_seldom_looked_at() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert!(looks(&mut pace, now, SECOND, |_| 0.0) < 200);
        assert_eq!(looks(&mut pace, now + SECOND, SECOND, |_| 0.001), 100);
    }

    /// Records that come at an even rate: the judge finds enough at each look, and no ring is near its end.
    #[test]
    fn an_even_rate() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let rings = 10.0; // in a second
        let fill = |pause: Duration| pause.as_secs_f64() * rings;
        looks(&mut pace, now, SECOND, fill);
        let looks = f64::from(looks(&mut pace, now + SECOND, SECOND, fill));
        assert!((rings / ENOUGH..=rings / FEW).contains(&looks), "{looks}");
    }

    /// A program that works again and again for a moment waits for an eighth of its time at most.
    #[test]
    fn the_pause_is_a_part_of_the_quiet_time() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for millis in [1, 8, 30, 100] {
            let quiet = Duration::from_millis(millis);
            pace.busy(now);
            looks(&mut pace, now, quiet, |_| 0.0);
            let pause = pace.after(0.0, now + quiet).expect("a pause");
            assert!(pause <= quiet / PART, "{pause:?} after {quiet:?}");
            assert!(pace.after(BUSY, now + quiet).is_none());
            assert_eq!(pace.after(0.0, now + quiet), Some(SHORTEST));
        }
    }
}

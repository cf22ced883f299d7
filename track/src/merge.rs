//! Puts the events of all rings into the order of their numbers.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use wire::record::{Event, Kind};

use crate::names::Name;

/// An event with its name's number.
#[derive(Debug, Clone, Copy)]
pub struct Numbered {
    /// What happened.
    pub kind: Kind,
    /// In which process.
    pub process: u16,
    /// The name of the holder or the type.
    pub name: Name,
    /// The rest.
    pub event: Event,
}

/// The judge begins to ask about a missing number after this time: its thread may have died, or left a handler by a
/// jump.
const PATIENCE: Duration = Duration::from_millis(200);
/// The same for a number of which a recorder has said that it may be lost.
const LITTLE_PATIENCE: Duration = Duration::from_millis(5);
/// The most events that wait for one that is missing.
const MOST: usize = 1 << 20;
/// A ring whose events are so far ahead is not read.
const AHEAD: u64 = 1 << 17;

/// What is known of a number.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Missing,
    /// No event has it.
    Void,
    Event(Numbered),
}

/// Events that have been read and wait for their turn.
pub struct Window {
    waiting: VecDeque<Slot>,
    /// The number of the first that waits.
    next: u64,
    /// Since when the next one is missing.
    missing_since: Option<Instant>,
    /// Numbers before this one may be lost.
    lost_until: u64,
    /// Numbers that were passed over.
    pub passed_over: u64,
}

impl Window {
    /// Before the first event.
    pub fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            next: 0,
            missing_since: None,
            lost_until: 0,
            passed_over: 0,
        }
    }

    /// Takes an event in. Gives it back if its number was passed over already: it is late, and its turn is now.
    /// An event whose number is not below `end`, the number of the next event in the session, is garbage.
    pub fn add(&mut self, event: Numbered, end: u64) -> Option<Numbered> {
        let number = event.event.sequence;
        if number >= end {
            return None;
        }
        if number < self.next {
            self.passed_over = self.passed_over.saturating_sub(1);
            return Some(event);
        }
        self.set(number, Slot::Event(event));
        None
    }

    fn set(&mut self, number: u64, slot: Slot) {
        let place = (number - self.next) as usize;
        if place >= MOST {
            self.passed_over += 1;
            return;
        }
        if place == self.waiting.len() {
            self.waiting.push_back(slot);
            return;
        }
        if place > self.waiting.len() {
            self.waiting.resize(place + 1, Slot::Missing);
        }
        self.waiting[place] = slot;
    }

    /// No event will come with these numbers; if there are several, perhaps.
    pub fn pass(&mut self, numbers: Range<u64>, end: u64) {
        let numbers = numbers.start.max(self.next)..numbers.end.min(end);
        if numbers.end.checked_sub(numbers.start) == Some(1) {
            self.set(numbers.start, Slot::Void);
        } else if !numbers.is_empty() {
            self.lost_until = self.lost_until.max(numbers.end);
        }
    }

    /// The next event, if it has come.
    pub fn next(&mut self) -> Option<Numbered> {
        loop {
            let slot = *self.waiting.front()?;
            if matches!(slot, Slot::Missing) {
                return None;
            }
            self.waiting.pop_front();
            self.next += 1;
            self.missing_since = None;
            if let Slot::Event(event) = slot {
                return Some(event);
            }
        }
    }

    /// The event `by` places behind the next one, if it has come.
    pub fn ahead(&self, by: usize) -> Option<&Numbered> {
        match self.waiting.get(by)? {
            Slot::Event(event) => Some(event),
            _ => None,
        }
    }

    /// Whether events wait for one that is missing.
    #[cfg(test)]
    fn is_stuck(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether all events before a number have come, or were passed over.
    pub fn has_reached(&self, number: u64) -> bool {
        self.next >= number
    }

    /// Whether a number's event has come and waits.
    pub fn has(&self, number: u64) -> bool {
        number.checked_sub(self.next).is_some_and(|place| place < self.waiting.len() as u64)
    }

    /// Whether a number is so far ahead that its ring can wait, unless the missing event may be in it.
    pub fn is_ahead(&self, number: u64) -> bool {
        number >= self.next + AHEAD && number < self.next + MOST as u64
    }

    /// The number that the others wait for.
    pub fn missing(&self) -> Option<u64> {
        matches!(self.waiting.front(), Some(Slot::Missing)).then_some(self.next)
    }

    /// Whether a number is missing for so long that its writer may be gone.
    pub fn is_overdue(&mut self) -> bool {
        let patience = if self.next < self.lost_until { LITTLE_PATIENCE } else { PATIENCE };
        matches!(self.waiting.front(), Some(Slot::Missing))
            && self.missing_since.get_or_insert_with(Instant::now).elapsed() >= patience
    }

    /// Passes over the numbers that are missing since before `turned`: each thread has had its turn since then.
    /// Returns these numbers.
    pub fn pass_over(&mut self, turned: Instant) -> Range<u64> {
        if !matches!(self.waiting.front(), Some(Slot::Missing))
            || self.missing_since.is_some_and(|since| since > turned)
        {
            return self.next..self.next;
        }
        let first = self.next;
        while matches!(self.waiting.front(), Some(Slot::Missing)) {
            self.waiting.pop_front();
            self.next += 1;
            self.passed_over += 1;
        }
        self.missing_since = None;
        first..self.next
    }
}

#[cfg(test)]
mod tests {
    use wire::record::{Event, Kind};

    use std::ops::Range;
    use std::time::Instant;

    use super::{Numbered, Window};
    use crate::names::NONE;

    fn event(sequence: u64) -> Numbered {
        let event = Event { sequence, ..Event::default() };
        Numbered { kind: Kind::Got, process: 1, name: NONE, event }
    }

    fn next(window: &mut Window) -> Option<u64> {
        window.next().map(|event| event.event.sequence)
    }

    #[test]
    fn events_come_in_the_order_of_their_numbers() {
        let mut window = Window::new();
        for number in [2, 0, 1] {
            assert!(window.add(event(number), 3).is_none());
        }
        assert_eq!([(); 4].map(|()| next(&mut window)), [Some(0), Some(1), Some(2), None]);
        assert!(!window.is_stuck());
    }

    #[test]
    fn a_missing_number_is_passed_over_when_its_writer_is_dead() {
        let mut window = Window::new();
        window.add(event(1), 9);
        let before = Instant::now();
        assert!(!window.is_overdue());
        window.pass_over(before);
        assert_eq!(next(&mut window), None, "its writer may have had no turn");
        window.pass_over(Instant::now());
        assert_eq!((next(&mut window), window.passed_over), (Some(1), 1));
        let late = window.add(event(0), 9).expect("it goes on at once");
        assert_eq!((late.event.sequence, window.passed_over), (0, 0));
    }

    #[test]
    fn a_number_that_was_given_up() {
        let mut window = Window::new();
        window.add(event(2), 9);
        window.pass(0..1, 9);
        assert_eq!(next(&mut window), None);
        window.pass(1..2, 9);
        assert_eq!((next(&mut window), window.passed_over), (Some(2), 0));
        window.pass(0..u64::MAX, 9);
        window.pass(Range { start: 8, end: 1 }, 9);
        window.pass(u64::MAX..u64::MAX, 9);
        assert!(!window.is_stuck());
    }

    #[test]
    fn a_number_that_was_never_given_is_garbage() {
        let mut window = Window::new();
        for number in [7, u64::MAX, 1 << 40] {
            assert!(window.add(event(number), 7).is_none());
        }
        assert!(window.add(event(1 << 39), u64::MAX).is_none(), "too far away");
        assert!(!window.is_stuck());
    }
}

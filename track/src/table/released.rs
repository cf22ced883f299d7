//! The objects that were released last, the oldest first: a ring in pages that a fork's child shares.

use crate::budget::Budget;
use crate::pages::Pages;
use crate::slab::At;

/// How many released objects are remembered, for whoever comes too late.
const REMEMBERED: u64 = 1 << 16;
const PAGE: usize = 512;

/// Numbers and serials of objects.
pub struct Released {
    /// The entry of the nth release has the place n modulo `REMEMBERED`.
    entries: Pages<(At, u64), PAGE>,
    /// How many releases there were.
    count: u64,
}

impl Released {
    /// None.
    pub fn new(budget: &Budget) -> Self {
        Self { entries: Pages::new(budget), count: 0 }
    }

    /// The same for another table.
    pub fn share(&mut self) -> Self {
        Self { entries: self.entries.share(), count: self.count }
    }

    /// Adds one. Returns the one that is forgotten for it.
    pub fn add(&mut self, at: At, serial: u64) -> Option<(At, u64)> {
        let place = (self.count % REMEMBERED) as usize;
        if place == self.entries.room() {
            self.entries.add((at, serial));
        }
        let entry = self.entries.at_mut(place);
        let before = std::mem::replace(entry, (at, serial));
        self.count += 1;
        (self.count > REMEMBERED).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_in_each_table() {
        let mut released = Released::new(&Budget::new(1 << 24));
        for number in 0..REMEMBERED {
            assert_eq!(released.add(number as At, number), None);
        }
        let mut child = released.share();
        assert_eq!(released.add(1, 7), Some((0, 0)));
        assert_eq!(released.add(2, 8), Some((1, 1)));
        assert_eq!(child.add(3, 9), Some((0, 0)));
        for number in 2..REMEMBERED {
            assert_eq!(released.add(0, 0), Some((number as At, number)));
        }
        assert_eq!(released.add(0, 0), Some((1, 7)));
    }
}

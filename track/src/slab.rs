//! Many small values of one type, by number: four bytes are enough to point to one.

use crate::budget::Budget;
use crate::index::prefetch;
use crate::pages::Pages;

/// A value's number.
pub type At = u32;
/// No value.
pub const NIL: At = At::MAX;

/// A value that can have the number of another one.
pub trait Link: Copy {
    /// That number.
    fn next(&self) -> At;
    /// Sets it.
    fn set_next(&mut self, next: At);
}

/// The values of a page.
const PAGE: usize = 256;
/// At most so many lists that were given back wait as they are. If there are more, a list is read to its end when it is
/// given back.
const MOST_LISTS: usize = 1 << 12;

/// The values. A number that was given back is given out again.
pub struct Slab<T> {
    pages: Pages<T, PAGE>,
    /// The first number that was never given out.
    end: usize,
    /// The first of the numbers that were given back: its value has the next one.
    free: At,
    /// The first numbers of lists that were given back, for when there is no other. They are not read when they are given
    /// back: a long one may have to come from far away, value by value.
    lists: Vec<At>,
}

impl<T: Link> Slab<T> {
    /// No values.
    pub fn new(budget: &Budget) -> Self {
        Self { pages: Pages::new(budget), end: 0, free: NIL, lists: Vec::new() }
    }

    /// Another slab with the same values.
    pub fn share(&mut self) -> Self {
        Self { pages: self.pages.share(), lists: self.lists.clone(), ..*self }
    }

    /// Whether there is memory for a value more.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.free != NIL
            || !self.lists.is_empty()
            || self.end < self.pages.room()
            || self.pages.budget().has_room()
    }

    /// Adds a value. `None`: there are as many as numbers.
    #[inline]
    pub fn add(&mut self, value: T) -> Option<At> {
        if self.free == NIL {
            match self.lists.pop() {
                Some(first) => self.free = first,
                None => return self.new_number(value),
            }
        }
        let at = self.free;
        let place = self.at_mut(at);
        let next = place.next();
        *place = value;
        self.free = next;
        // It will be needed soon, and was not used for long.
        self.pages.get(next as usize).inspect(|&value| prefetch(value));
        Some(at)
    }

    fn new_number(&mut self, value: T) -> Option<At> {
        let at = At::try_from(self.end).ok().filter(|&at| at != NIL)?;
        if self.end == self.pages.room() {
            self.pages.add(value);
        }
        self.end += 1;
        *self.at_mut(at) = value;
        Some(at)
    }

    /// Gives a value's number back.
    pub fn remove(&mut self, at: At) {
        let free = self.free;
        self.at_mut(at).set_next(free);
        self.free = at;
    }

    /// Gives the numbers of a list back, of which the first is `first`.
    #[inline]
    pub fn remove_all(&mut self, first: At) {
        if first == NIL {
            return;
        }
        if self.lists.len() < MOST_LISTS {
            return self.lists.push(first);
        }
        let (mut last, mut next) = (first, self.at(first).next());
        while next != NIL {
            (last, next) = (next, self.at(next).next());
        }
        let free = std::mem::replace(&mut self.free, first);
        self.at_mut(last).set_next(free);
    }

    /// The value, which must be there.
    #[inline]
    pub fn at(&self, at: At) -> &T {
        self.pages.at(at as usize)
    }

    /// The value, which must be there.
    #[inline]
    pub fn at_mut(&mut self, at: At) -> &mut T {
        self.pages.at_mut(at as usize)
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self, at: At) -> Option<&T> {
        self.pages.get(at as usize)
    }

    /// All, also those whose numbers were given back.
    pub fn all(&self) -> impl Iterator<Item = &T> + '_ {
        self.pages.all().take(self.end)
    }

    /// Shows all, also those whose numbers were given back, to a function that may change them.
    pub fn change(&mut self, change: impl FnMut(&mut T)) {
        self.pages.change(change);
    }
}

#[cfg(test)]
mod tests {
    use super::{Link, MOST_LISTS, NIL, Slab};
    use crate::budget::Budget;

    impl Link for u32 {
        fn next(&self) -> u32 {
            *self
        }

        fn set_next(&mut self, next: u32) {
            *self = next;
        }
    }

    /// Lists of three, more of them than wait as they are: each number is given out again, once.
    #[test]
    fn a_number_that_was_given_back_is_given_out_again() {
        let mut slab = Slab::<u32>::new(&Budget::new(1 << 24));
        let count = MOST_LISTS as u32 + 10;
        for _ in 0..2 {
            let numbers: Vec<u32> =
                (0..3 * count).map(|_| slab.add(NIL).expect("a number")).collect();
            let mut sorted = numbers.clone();
            sorted.sort();
            assert!(sorted.into_iter().eq(0..3 * count), "no more than are used");
            for list in numbers.chunks(3) {
                slab.at_mut(list[0]).set_next(list[1]);
                slab.at_mut(list[1]).set_next(list[2]);
                slab.remove_all(list[0]);
            }
        }
    }
}

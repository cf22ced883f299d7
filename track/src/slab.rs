//! Many small values of one type, by number: four bytes are enough to point to one.

use crate::budget::Budget;
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

/// The values. A number that was given back is given out again.
pub struct Slab<T> {
    pages: Pages<T, PAGE>,
    /// The first number that was never given out.
    end: usize,
    /// The last number that was given back, whose value has the one before.
    free: At,
}

impl<T: Link> Slab<T> {
    /// No values.
    pub fn new(budget: &Budget) -> Self {
        Self { pages: Pages::new(budget), end: 0, free: NIL }
    }

    /// Another slab with the same values.
    pub fn share(&mut self) -> Self {
        Self { pages: self.pages.share(), ..*self }
    }

    /// Whether there is memory for a value more.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.free != NIL || self.end < self.pages.room() || self.pages.budget().has_room()
    }

    /// Adds a value. `None`: there are as many as numbers.
    #[inline]
    pub fn add(&mut self, value: T) -> Option<At> {
        if self.free == NIL {
            return self.new_number(value);
        }
        let at = self.free;
        let place = self.at_mut(at);
        let next = place.next();
        *place = value;
        self.free = next;
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

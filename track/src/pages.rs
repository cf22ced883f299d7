//! Values that two owners can share, in pages: a page is copied when one of its owners writes to it.
//!
//! So the table of a fork's child costs the judge little until parent and child write, as the kernel does it with the
//! memory of the two. Until they are shared for the first time the values lie one behind the other, which is faster.

use std::cell::UnsafeCell;
use std::rc::Rc;

use crate::budget::{Budget, Charge};

struct Page<T, const N: usize> {
    values: UnsafeCell<[T; N]>,
    charge: Charge,
}

/// Where the values of a page are, and in the lowest bit whether another owner may have the page, too. An access looks
/// at this word and at the value, and not at the page's own head, which lies elsewhere in memory.
type Place = usize;
const SHARED: usize = 1;

/// Values by their number, N of them in a page: N is a power of two.
pub struct Pages<T, const N: usize> {
    /// All values, until they are shared.
    flat: Vec<T>,
    flat_charge: Charge,
    was_shared: bool,
    places: Vec<Place>,
    pages: Vec<Rc<Page<T, N>>>,
    budget: Budget,
}

impl<T: Copy, const N: usize> Page<T, N> {
    fn place(self: &Rc<Self>) -> Place {
        const { assert!(N.is_power_of_two() && align_of::<T>() > 1) };
        self.values.get() as Place
    }
}

impl<T: Copy, const N: usize> Pages<T, N> {
    /// No pages.
    pub fn new(budget: &Budget) -> Self {
        Self {
            flat: Vec::new(),
            flat_charge: budget.charge(0),
            was_shared: false,
            places: Vec::new(),
            pages: Vec::new(),
            budget: budget.clone(),
        }
    }

    /// Another owner of all values.
    pub fn share(&mut self) -> Self {
        self.was_shared = true;
        for values in std::mem::take(&mut self.flat).chunks_exact(N) {
            self.add_page(std::array::from_fn(|at| values[at]));
        }
        self.flat_charge = self.budget.charge(0);
        self.places.iter_mut().for_each(|place| *place |= SHARED);
        let mut other = Self::new(&self.budget);
        other.was_shared = true;
        (other.places, other.pages) = (self.places.clone(), self.pages.clone());
        other
    }

    /// Adds a page of values.
    pub fn add(&mut self, value: T) {
        if self.was_shared {
            return self.add_page([value; N]);
        }
        self.flat.resize(self.flat.len() + N, value);
        self.flat_charge = self.budget.charge(self.flat.len() * size_of::<T>());
    }

    fn add_page(&mut self, values: [T; N]) {
        let charge = self.budget.charge(size_of::<Page<T, N>>());
        let page = Rc::new(Page { values: UnsafeCell::new(values), charge });
        self.places.push(page.place());
        self.pages.push(page);
    }

    /// What the pages are counted by.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How many values the pages have room for.
    pub fn room(&self) -> usize {
        self.flat.len() + self.pages.len() * N
    }

    /// The value, whose page must be there.
    #[inline(always)]
    pub fn at(&self, number: usize) -> &T {
        match self.flat.get(number) {
            Some(value) => value,
            None => Self::value(self.places[number / N], number),
        }
    }

    /// The value, if its page is there.
    #[inline(always)]
    pub fn get(&self, number: usize) -> Option<&T> {
        match self.flat.get(number) {
            Some(value) => Some(value),
            None => Some(Self::value(*self.places.get(number / N)?, number)),
        }
    }

    #[inline(always)]
    fn value<'a>(place: Place, number: usize) -> &'a T {
        let first = (place & !SHARED) as *const T;
        // SAFETY: the page lives as long as its owners, which the callers borrow. Nobody writes to it meanwhile: who
        // writes has borrowed its only owner exclusively.
        unsafe { &*first.add(number % N) }
    }

    /// The value, whose page must be there.
    #[inline(always)]
    pub fn at_mut(&mut self, number: usize) -> &mut T {
        if number < self.flat.len() {
            return &mut self.flat[number];
        }
        if self.places[number / N] & SHARED != 0 {
            self.own(number / N);
        }
        let first = self.places[number / N] as *mut T;
        // SAFETY: this is the page's only owner, and it is borrowed exclusively.
        unsafe { &mut *first.add(number % N) }
    }

    /// Makes this the only owner of a page.
    #[cold]
    #[inline(never)]
    fn own(&mut self, index: usize) {
        let page = &mut self.pages[index];
        if Rc::get_mut(page).is_none() {
            let charge = page.charge.clone();
            // SAFETY: nobody writes to a page that has several owners.
            let values = UnsafeCell::new(unsafe { *page.values.get() });
            *page = Rc::new(Page { values, charge });
        }
        self.places[index] = page.place();
    }

    /// All values, also those that nobody has set.
    pub fn all(&self) -> impl Iterator<Item = &T> + '_ {
        // SAFETY: as in `value`.
        let pages = self.pages.iter().flat_map(|page| unsafe { &*page.values.get() });
        self.flat.iter().chain(pages)
    }

    /// Shows all values, also those that nobody has set, to a function that may change them.
    pub fn change(&mut self, mut change: impl FnMut(&mut T)) {
        for number in 0..self.room() {
            change(self.at_mut(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pages;
    use crate::budget::Budget;

    #[test]
    fn a_page_is_copied_when_an_owner_writes() {
        let budget = Budget::new(1 << 20);
        let mut pages = Pages::<u64, 16>::new(&budget);
        (0..4).for_each(|_| pages.add(0));
        let four = budget.used();
        let mut other = pages.share();
        let four_pages = budget.used();
        assert_eq!((four, other.room()), (64 * 8, 64));
        *other.at_mut(20) = 1;
        *pages.at_mut(63) = 2;
        *pages.at_mut(20) = 3;
        assert_eq!(budget.used(), four_pages / 4 * 6, "two pages are copies");
        assert_eq!([*pages.at(20), *other.at(20)], [3, 1]);
        assert_eq!([*pages.at(63), *other.at(63)], [2, 0]);
        drop(pages);
        assert_eq!(budget.used(), four_pages);
        other.change(|value| *value += 1);
        assert_eq!((budget.used(), other.all().sum::<u64>()), (four_pages, 65));
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}

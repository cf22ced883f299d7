//! Values in pages. A clone shares the pages, and a page is copied when one of its owners writes to it.
//!
//! So the table of a fork's child costs the judge little until parent and child write, as the kernel does it with the
//! memory of the two.

use std::rc::Rc;

use crate::budget::{Budget, Charge};

#[derive(Clone)]
struct Page<T, const N: usize> {
    values: [T; N],
    _charge: Charge,
}

/// Values by their place, N of them in a page.
#[derive(Clone)]
pub struct Pages<T, const N: usize> {
    pages: Vec<Rc<Page<T, N>>>,
    budget: Budget,
}

impl<T: Copy, const N: usize> Pages<T, N> {
    /// No pages.
    pub fn new(budget: &Budget) -> Self {
        Self { pages: Vec::new(), budget: budget.clone() }
    }

    /// Adds a page.
    pub fn add(&mut self, value: T) {
        let charge = self.budget.charge(size_of::<Page<T, N>>());
        self.pages.push(Rc::new(Page { values: [value; N], _charge: charge }));
    }

    /// How many values the pages have room for.
    pub fn room(&self) -> usize {
        self.pages.len() * N
    }

    /// The value, whose page must be there.
    #[inline]
    pub fn at(&self, place: usize) -> &T {
        &self.pages[place / N].values[place % N]
    }

    /// The value, whose page must be there.
    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut T {
        &mut Rc::make_mut(&mut self.pages[place / N]).values[place % N]
    }

    /// The value, if its page is there.
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        Some(&self.pages.get(place / N)?.values[place % N])
    }

    /// All values, also those that nobody has set.
    pub fn all(&self) -> impl Iterator<Item = &T> + '_ {
        self.pages.iter().flat_map(|page| &page.values)
    }

    /// All values, also those that nobody has set.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut T> + '_ {
        self.pages.iter_mut().flat_map(|page| &mut Rc::make_mut(page).values)
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
        let mut other = pages.clone();
        assert_eq!((budget.used(), other.room()), (four, 64));
        *other.at_mut(20) = 1;
        *pages.at_mut(63) = 2;
        assert_eq!(budget.used(), four / 4 * 6, "two pages are copies");
        assert_eq!([*pages.at(20), *other.at(20)], [0, 1]);
        assert_eq!([*pages.at(63), *other.at(63)], [2, 0]);
        drop(pages);
        assert_eq!(budget.used(), four);
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}

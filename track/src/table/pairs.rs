//! References that were given back, by the stacks of their gets and puts.

use crate::code::Id;
use crate::held::{DOUBTS, Pair, UNRECORDED};
use crate::object::{Object, PERCPU};
use crate::slab::At;
use crate::table::Table;

/// More pairs of call sites of one object than this are not balanced.
const MOST_PAIRS: usize = 128;

impl Table {
    /// Shows the gets and puts of an object by stack: `look` gets a stack, how many gets, and how many puts.
    pub fn balance(&self, object: &Object, mut look: impl FnMut(Id, u32, u32)) {
        for held in self.held(object).filter(|held| !held.is_first) {
            look(held.by.stack, held.count, 0);
        }
        for pair in self.pairs_of(object).filter(|pair| pair.get != DOUBTS) {
            if pair.get != 0 {
                look(pair.get, pair.count, 0);
            }
            look(pair.put, 0, pair.count);
        }
        // A percpu_ref's initial reference has a get of its own.
        if !object.is(PERCPU) {
            look(object.created().stack, 1, 0);
        }
    }

    /// What was given back, in the order in which it was, and how often: the stacks of the gets and of the puts. The
    /// stack of kref_init()'s reference is its creation's.
    pub fn given_back(&self, object: &Object) -> Vec<Pair> {
        let mut pairs: Vec<_> =
            self.pairs_of(object).filter(|pair| pair.get != DOUBTS).copied().collect();
        pairs.reverse();
        pairs
    }

    /// How many puts of an object the rules could not match, or how many gets had no room.
    pub fn doubts(&self, object: &Object, kind: Id) -> u32 {
        let doubts = |pair: &&Pair| pair.get == DOUBTS && pair.put == kind;
        self.pairs_of(object).find(doubts).map_or(0, |doubts| doubts.count)
    }

    fn pairs_of(&self, object: &Object) -> impl Iterator<Item = &Pair> + '_ {
        std::iter::successors(self.pairs.get(object.pairs), |pair| self.pairs.get(pair.next))
    }

    /// A put that undoes nothing that is known undoes one of the gets for which there was no room.
    pub(super) fn forgive(&mut self, at: At) {
        let mut place = self.objects.at(at).pairs;
        while let Some(pair) = self.pairs.get(place) {
            if pair.get == DOUBTS && pair.put == UNRECORDED && pair.count > 0 {
                self.pairs.at_mut(place).count -= 1;
                return;
            }
            place = pair.next;
        }
    }

    /// Counts a pair.
    pub(super) fn count(&mut self, at: At, get: Id, put: Id) {
        let first = self.objects.at(at).pairs;
        let (mut place, mut count) = (first, 0);
        while let Some(pair) = self.pairs.get(place) {
            if pair.get == get && pair.put == put {
                let count = &mut self.pairs.at_mut(place).count;
                *count = count.saturating_add(1);
                return;
            }
            count += 1;
            place = pair.next;
        }
        if get != DOUBTS && (count >= MOST_PAIRS || !self.pairs.has_room()) {
            return;
        }
        if let Some(new) = self.pairs.add(Pair { get, put, count: 1, next: first }) {
            self.objects.at_mut(at).pairs = new;
        }
    }
}

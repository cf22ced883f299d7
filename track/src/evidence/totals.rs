//! Objects without a history. Only the number of gets and puts of each class is known. An explanation says how many gets
//! of each class go with how many puts of each class. Each kind of pair in it costs once, however many pairs there are.

use std::collections::BTreeMap;

use super::explain::Explainer;
use super::explanation::{Counts, Explanation};

/// So many steps are made in the search.
const MOST_STEPS: usize = 100_000;
/// What costs so much more than the cheapest is no rival.
pub const MUCH: f64 = 4.0;

/// The number of gets and puts of each class.
pub struct Totals {
    /// The classes of gets.
    pub gets: Vec<u64>,
    /// The classes of puts.
    pub puts: Vec<u64>,
}

/// Explanations of totals, the cheapest first: one for each class that may leak. `known` is what other objects of the
/// type have told.
pub fn explain(explainer: &Explainer, known: &Counts, totals: &Totals) -> Vec<Explanation> {
    let mut puts: Vec<_> =
        totals.puts.iter().copied().enumerate().filter(|&(_, count)| count > 0).collect();
    puts.sort_by_key(|&(put, count)| (std::cmp::Reverse(count), put));
    let mut search = Search {
        explainer,
        known,
        puts,
        left: totals.gets.clone(),
        counts: known.clone(),
        lowest: f64::INFINITY,
        best: BTreeMap::new(),
        steps: 0,
    };
    search.give_back(0, 0, 0, 0.0);
    if search.steps > MOST_STEPS {
        return Vec::new();
    }
    let mut all: Vec<_> = search.best.into_values().collect();
    all.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    all
}

struct Search<'a> {
    explainer: &'a Explainer<'a>,
    known: &'a Counts,
    /// The classes of puts, and how often each was seen, the most frequent first.
    puts: Vec<(usize, u64)>,
    /// How many references of each class of gets are not given back yet.
    left: Vec<u64>,
    counts: Counts,
    lowest: f64,
    /// The cheapest for each class that is blamed.
    best: BTreeMap<Option<usize>, Explanation>,
    steps: usize,
}

impl Search<'_> {
    /// Finds gets for the puts of one class, the one at `place` of the list: among the classes of gets from `first` on. For
    /// as many puts as `found` says, gets are found already.
    fn give_back(&mut self, place: usize, found: u64, first: usize, cost: f64) {
        let Some(&(put, all)) = self.puts.get(place) else { return self.end(cost) };
        let rest = all - found;
        for get in first..self.left.len() {
            let count = rest.min(self.left[get]);
            self.steps += 1;
            let cost = cost + self.explainer.price_of_kind((get, put), self.known);
            if count == 0 || cost > self.lowest + MUCH || self.steps > MOST_STEPS {
                continue;
            }
            self.left[get] -= count;
            self.counts.add(get, put, count as f64);
            if count < rest {
                self.give_back(place, found + count, get + 1, cost);
            } else {
                self.give_back(place + 1, 0, 0, cost);
            }
            self.counts.add(get, put, -(count as f64));
            self.left[get] += count;
        }
    }

    /// All puts are explained: what is left leaks.
    fn end(&mut self, cost: f64) {
        let mut counts = self.counts.clone();
        for (get, &left) in self.left.iter().enumerate() {
            counts.add(get, counts.puts, left as f64);
        }
        let waits = self.explainer.waits(&counts);
        let cost = cost + self.explainer.leaks_of(&counts, &waits);
        // The other objects' leaks are part of the cost of every explanation, and not part of what is explained here.
        for get in 0..counts.gets {
            counts.add(get, counts.puts, -self.known.leaks(get));
        }
        let explanation = Explanation { cost, pairs: Vec::new(), counts, waits };
        self.lowest = self.lowest.min(cost);
        let blamed = explanation.blamed();
        if self.best.get(&blamed).is_none_or(|best| cost < best.cost) {
            self.best.insert(blamed, explanation);
        }
    }
}

//! Better explanations that are near one: without a kind of pair, and with two classes exchanged.
//!
//! A pair that was seen often looks likely. So an explanation that learns from its own pairs does not change any more, right
//! or wrong. Therefore kinds of pairs are forbidden one after the other, the rarest first, and the explanation learns again
//! without that kind. This is repeated as long as the cost falls.

use super::cost::NEVER;
use super::explain::{Explainer, Hypothesis};
use super::explanation::{Explanation, Kind, Pairs};

/// How often an explanation learns without a kind of pair.
const ROUNDS: usize = 3;
/// How often classes are exchanged.
const EXCHANGES: usize = 4;
/// Less is no gain.
const LEAST: f64 = 1e-9;

impl Explainer<'_> {
    /// The cheapest explanation that is found by taking away one kind of pair after the other.
    pub fn reduce(&self, mut best: Explanation, hypothesis: Hypothesis) -> Explanation {
        loop {
            let before = best.cost;
            for kind in best.counts.kinds() {
                if best.counts.pairs(kind.0, kind.1) > 0.0
                    && let Some(found) = self.without(&best, kind, hypothesis)
                    && found.cost < best.cost - LEAST
                {
                    best = found;
                }
            }
            if best.cost == before {
                return best;
            }
        }
    }

    /// The cheapest explanation without a kind of pair, if there is one.
    fn without(
        &self,
        from: &Explanation,
        kind: Kind,
        hypothesis: Hypothesis,
    ) -> Option<Explanation> {
        let mut best: Option<Explanation> = None;
        let (mut pairs, mut counts) = (from.pairs.clone(), from.counts.clone());
        for round in 0..ROUNDS {
            let learned = self.learned(&counts, hypothesis, Some(kind));
            for (item, pairs) in self.items.iter().zip(&mut pairs) {
                if round > 0 || item.has(pairs, kind) {
                    *pairs = self.assign(item, &learned);
                    if item.is_wrong(pairs, kind) {
                        return best;
                    }
                }
            }
            let new = self.explanation(pairs.clone());
            counts = new.counts.clone();
            if best.as_ref().is_none_or(|best| new.cost < best.cost) {
                best = Some(new);
            }
        }
        best
    }

    /// Explanations in which two classes have each other's puts.
    pub fn exchange(&self, all: &mut Vec<Explanation>, classes: &[usize]) {
        for _ in 0..EXCHANGES {
            let best = all[0].clone();
            let mut found = Vec::new();
            for (at, &x) in classes.iter().enumerate() {
                for &y in &classes[at + 1..] {
                    found.extend(self.exchanged(&best.pairs, x, y));
                }
            }
            let is_better = found.iter().any(|it: &Explanation| it.cost < best.cost - LEAST);
            all.extend(found);
            all.sort_by(|a, b| a.cost.total_cmp(&b.cost));
            if !is_better {
                return;
            }
        }
    }

    fn exchanged(&self, pairs: &[Pairs], x: usize, y: usize) -> Option<Explanation> {
        let mut pairs = pairs.to_vec();
        let mut has_changed = false;
        for (item, pairs) in self.items.iter().zip(&mut pairs) {
            let of =
                |class: usize| (0..item.gets.len()).filter(move |&get| item.gets[get] == class);
            for (a, b) in of(x).zip(of(y)) {
                let fits =
                    |get, put: Option<usize>| put.is_none_or(|put| item.cost(get, put) < NEVER);
                if pairs[a] != pairs[b] && fits(a, pairs[b]) && fits(b, pairs[a]) {
                    pairs.swap(a, b);
                    has_changed = true;
                }
            }
        }
        has_changed.then(|| self.explanation(pairs))
    }
}

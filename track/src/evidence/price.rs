//! What an explanation costs. Each kind of pair is paid for once, and each class of gets that leaks once, not for each
//! object. So the objects that were released overrule a pair that looks tempting in an object that leaks.

use std::collections::BTreeMap;

use super::explain::Explainer;
use super::explanation::{Counts, Kind, Pairs};

/// A kind of pair,
const KIND: f64 = 1.0;
/// and a further one of classes that differ in their callers alone.
const MORE_CALLERS: f64 = 0.3;
/// What names that fit save.
const FIT: f64 = 1.5;
/// A class that leaks, with what its leak is worth by itself,
const LEAK: f64 = 2.0;
/// one that waits for the release of an object that is live,
const WAITS: f64 = 1.0;
/// and a further one of classes that differ in their callers alone.
const MORE_LEAKS: f64 = 1.0;
/// How much it counts that the puts of a class are mixed.
const DISORDER: f64 = 4.0;

impl Explainer<'_> {
    /// What it costs. `waits` tells which classes wait for the release of an object that is live.
    pub fn price(&self, pairs: &[Pairs], counts: &Counts, waits: &[bool]) -> f64 {
        let objects: f64 = self.items.iter().map(|item| item.weight).sum();
        let disorder = (0..counts.gets).map(|get| disorder(counts, get)).sum::<f64>();
        self.kinds(pairs) + self.leaks_of(counts, waits) + DISORDER * disorder / objects.max(1.0)
    }

    fn kinds(&self, pairs: &[Pairs]) -> f64 {
        let mut kinds: BTreeMap<Kind, (f64, f64)> = BTreeMap::new();
        for (item, pairs) in self.items.iter().zip(pairs) {
            for (get, put) in pairs.iter().enumerate() {
                let Some(put) = *put else { continue };
                let kind = item.kind(get, put);
                let sum = kinds.entry(kind).or_default();
                sum.0 += (item.cost(get, put) - FIT * self.fit(kind)) * item.weight;
                sum.1 += item.weight;
            }
        }
        // Classes that differ in their callers alone are one here.
        let mut by_line: BTreeMap<_, (f64, f64, f64)> = BTreeMap::new();
        for ((get, put), (cost, weight)) in kinds {
            let inner = self.costs.classes.0.all[get].inner;
            let sum = by_line.entry((inner, put)).or_default();
            *sum = (sum.0 + cost, sum.1 + weight, sum.2 + 1.0);
        }
        let of_line = |&(cost, weight, lines): &(f64, f64, f64)| {
            KIND + cost / weight + MORE_CALLERS * (lines - 1.0)
        };
        by_line.values().map(of_line).sum()
    }

    /// What a kind of pair costs of which it is only known that it would be there, and what other objects have told.
    pub fn price_of_kind(&self, (get, put): Kind, known: &Counts) -> f64 {
        let seen = if known.pairs(get, put) > 0.0 { 0.0 } else { KIND };
        seen + self.costs.of_classes(get, put) - FIT * self.fit((get, put))
    }

    /// What the classes cost that leak.
    pub fn leaks_of(&self, counts: &Counts, waits: &[bool]) -> f64 {
        let mut leaking: BTreeMap<_, f64> = BTreeMap::new();
        for get in (0..counts.gets).filter(|&get| counts.leaks(get) > 0.0) {
            let cost = if waits[get] { WAITS } else { LEAK - self.leak(get).ln() };
            let inner = self.costs.classes.0.all[get].inner;
            leaking.entry(inner).and_modify(|cost| *cost += MORE_LEAKS).or_insert(cost);
        }
        leaking.values().sum()
    }
}

/// How mixed the puts are that give back what a class takes.
fn disorder(counts: &Counts, get: usize) -> f64 {
    let all = counts.of_get(get);
    let each = (0..=counts.puts).map(|put| counts.pairs(get, put)).filter(|&it| it > 0.0);
    -each.map(|it| it * (it / all).ln()).sum::<f64>()
}

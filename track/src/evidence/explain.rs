//! Explanations of all objects of a type: for each get the put that undoes it, or none. The cheapest one counts.
//!
//! One explanation begins without a hypothesis; each other begins with one: "this class is what leaks". Each learns which
//! puts go with which gets, in the end from all objects. Then explanations that differ little from it are tried. The
//! cheapest of all counts; the others in the list are its rivals.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

use super::assign::cheapest;
use super::classes::Classes;
use super::cost::{Costs, NEVER};
use super::explanation::{Counts, Explanation, Item, Kind, Pairs, heaviest};
use super::places::Places;

/// How often an explanation learns from what it has assigned.
const ROUNDS: usize = 4;
/// At most so many classes are suspected.
const MOST_HYPOTHESES: usize = 8;
/// At most so many classes are tried for an exchange.
const MOST_EXCHANGED: usize = 10;
/// What an assignment pays for a leak of a class that the hypothesis does not blame.
const OTHER_LEAK: f64 = 8.0;
/// What a reference's place tells counts twice as much as one that names tell.
const PLACE: f64 = 2.0;
/// How much an unseen pair counts, for its fit.
const PRIOR: f64 = 0.1;
/// How likely it is that a reference leaks: that of a get, and the creator's.
const LEAKS: [f64; 2] = [0.05, 0.02];
/// That counts as much as so many gets that were seen.
const LEAK_PRIOR: f64 = 5.0;
/// If such a share of the puts of a class is in release functions of live objects, the class waits for these.
const MANY: f64 = 0.1;

/// The class that leaks, or any.
pub type Hypothesis = Option<usize>;

/// All objects of a type.
pub struct Explainer<'a> {
    /// The costs of the type.
    pub costs: &'a Costs<'a>,
    /// The objects: released ones first, then live ones.
    pub items: Vec<Item>,
    released: usize,
    /// Pairs that were plain when they happened.
    plain: Counts,
    /// How well the names and places of each class of gets fit those of each class of puts.
    fits: Vec<f64>,
    /// For each class of gets how many other live objects were created beside it.
    beside: Vec<u64>,
}

/// What an assignment goes by.
pub struct Learned {
    /// What each kind of pair saves, because it was seen.
    seen: Vec<f64>,
    /// What a leak of each class of gets costs.
    leaks: Vec<f64>,
    never: Option<Kind>,
}

impl<'a> Explainer<'a> {
    /// Of the histories of objects that were released and of live ones, and of pairs that were plain.
    pub fn new(
        costs: &'a Costs,
        released: Vec<Item>,
        live: Vec<Item>,
        plain: &[(usize, usize, f64)],
    ) -> Self {
        let (gets, puts) = (costs.classes.0.all.len(), costs.classes.1.all.len());
        let mut items = heaviest(released.into_iter().filter(|it| it.gets.len() == it.puts.len()));
        let released = items.len();
        items.extend(heaviest(live.into_iter().filter(Item::is_live)));
        let mut counts = Counts::new(gets, puts);
        plain.iter().for_each(|&(get, put, count)| counts.add(get, put, count));
        let places = |classes: &Classes, is_get| -> Vec<Places> {
            let all = classes.all.iter();
            all.map(|class| Places::of(class, is_get, costs.code, costs.sources)).collect()
        };
        let (mut taken, given) = (places(&costs.classes.0, true), places(&costs.classes.1, false));
        Places::keep_callbacks(&mut taken, &given);
        let fit = |at: usize| {
            let (get, put) = (at / puts, at % puts);
            costs.words(&costs.classes.0.all[get], &costs.classes.1.all[put])
                + PLACE * taken[get].fit(&given[put])
        };
        let fits = (0..gets * puts).map(fit).collect();
        // The reference of one object on another of its type, unless the call has created the object itself.
        let is_of_another = |get| !items.iter().any(|item| item.by_creator.contains(&get));
        let beside = (0..gets).map(|get| costs.created_beside(get, is_of_another(get))).collect();
        Self { costs, items, released, plain: counts, fits, beside }
    }

    /// The live objects that an explanation explains, by their numbers: the gets that leak, as events.
    pub fn leaks(&self, by: &Explanation) -> BTreeMap<usize, Vec<usize>> {
        let live = self.items.iter().zip(&by.pairs).skip(self.released);
        live.map(|(item, pairs)| (item.number, item.leaks(pairs))).collect()
    }

    /// The same of an object that is not among those that were explained.
    pub fn settle(&self, item: &Item, by: &Explanation) -> Vec<usize> {
        item.leaks(&self.assign(item, &self.learned(&by.counts, None, None)))
    }

    /// Explanations, the cheapest first.
    pub fn explain(&self) -> Vec<Explanation> {
        let free = self.learn(None);
        let suspects = self.suspects(&free);
        let hypotheses = suspects.iter().take(MOST_HYPOTHESES).map(|&class| Some(class));
        let learned = hypotheses.map(|it| self.reduce(self.learn(it), it));
        let mut all: Vec<_> = iter::once(self.reduce(free.clone(), None)).chain(learned).collect();
        all.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let mut classes: Vec<_> = suspects.into_iter().take(MOST_EXCHANGED).collect();
        classes.sort_unstable();
        self.exchange(&mut all, &classes);
        all
    }

    /// The classes of the live objects: those that leak by an explanation come first, and the most frequent.
    fn suspects(&self, by: &Explanation) -> Vec<usize> {
        let mut suspects: BTreeMap<usize, f64> = BTreeMap::new();
        for item in &self.items[self.released..] {
            let mut classes = item.gets.clone();
            classes.sort_unstable();
            classes.dedup();
            classes.iter().for_each(|&class| *suspects.entry(class).or_default() += item.weight);
        }
        let mut suspects: Vec<_> = suspects.into_iter().collect();
        let leaks = |class: usize| by.counts.leaks(class) > 0.0;
        suspects.sort_by(|a, b| leaks(b.0).cmp(&leaks(a.0)).then(b.1.total_cmp(&a.1)));
        suspects.into_iter().map(|(class, _)| class).collect()
    }

    /// An explanation by a hypothesis.
    fn learn(&self, hypothesis: Hypothesis) -> Explanation {
        let mut pairs: Vec<Pairs> = self.items.iter().map(|_| Vec::new()).collect();
        let mut counts = self.plain.clone();
        let all = 0..self.items.len();
        let (first, rounds) = match hypothesis {
            None => (0..self.released, 2),
            Some(_) => (self.released..self.items.len(), 1),
        };
        for items in iter::repeat_n(first, rounds).chain(iter::repeat_n(all, ROUNDS)) {
            let learned = self.learned(&counts, hypothesis, None);
            for at in items.clone() {
                pairs[at] = self.assign(&self.items[at], &learned);
            }
            counts = self.count(&pairs, items);
        }
        self.explanation(pairs)
    }

    /// The explanation that pairs gets and puts in this way.
    pub fn explanation(&self, pairs: Vec<Pairs>) -> Explanation {
        let counts = self.count(&pairs, 0..self.items.len());
        let waits = self.waits(&counts);
        let cost = self.price(&pairs, &counts, &waits);
        Explanation { cost, pairs, counts, waits }
    }

    fn count(&self, pairs: &[Pairs], items: Range<usize>) -> Counts {
        let mut counts = self.plain.clone();
        for at in items {
            let item = &self.items[at];
            for (get, put) in pairs[at].iter().enumerate() {
                let put = put.map_or(counts.puts, |put| item.puts[put]);
                counts.add(item.gets[get], put, item.weight);
            }
        }
        counts
    }

    /// What these counts teach.
    pub fn learned(&self, counts: &Counts, hypothesis: Hypothesis, never: Option<Kind>) -> Learned {
        let waits = self.waits(counts);
        let of_get: Vec<_> = (0..counts.gets).map(|get| counts.of_get(get)).collect();
        let of_put: Vec<_> = (0..counts.puts).map(|put| counts.of_put(put)).collect();
        let leak = |class: usize| {
            let prior = LEAK_PRIOR * self.leak(class);
            let share = (counts.leaks(class) + prior) / (of_get[class] + LEAK_PRIOR);
            let is_other = hypothesis.is_some_and(|blamed| blamed != class) && !waits[class];
            let other = if is_other { OTHER_LEAK } else { 0.0 };
            other - share.ln()
        };
        let saved = |at: usize| {
            let (get, put) = (at / counts.puts, at % counts.puts);
            let seen = counts.pairs(get, put) + PRIOR * self.fits[at].exp();
            ((seen / (of_get[get] + 1.0)).ln() + (seen / (of_put[put] + 1.0)).ln()) / 2.0
        };
        let seen = (0..counts.gets * counts.puts).map(saved).collect();
        Learned { seen, leaks: (0..counts.gets).map(leak).collect(), never }
    }

    /// The cheapest pairs of an object. Each put undoes a get. Gets that no put undoes are leaks.
    pub fn assign(&self, item: &Item, by: &Learned) -> Pairs {
        let (gets, puts) = (item.gets.len(), item.puts.len());
        let cost = |get: usize, put: usize| {
            let (cost, kind) = (item.cost(get, put), item.kind(get, put));
            let is_none = cost >= NEVER || by.never == Some(kind);
            if is_none { NEVER } else { cost - by.seen[self.at(kind)] }
        };
        if gets < puts {
            return cheapest(gets, puts, cost).into_iter().map(Some).collect();
        }
        let mut pairs = vec![None; gets];
        let of_put = cheapest(puts, gets, |put, get| cost(get, put) - by.leaks[item.gets[get]]);
        of_put.into_iter().enumerate().for_each(|(put, get)| pairs[get] = Some(put));
        pairs
    }

    /// For each class of gets whether it waits: its references may be given back when an object that is live is released.
    pub fn waits(&self, counts: &Counts) -> Vec<bool> {
        let waits = |get: usize| {
            let leaks = counts.leaks(get);
            if leaks > 0.0 && leaks == counts.of_get(get) && leaks <= self.beside[get] as f64 {
                return true;
            }
            let waiting = (0..counts.puts).filter(|&put| self.costs.waits(put));
            let waiting: f64 = waiting.map(|put| counts.pairs(get, put)).sum();
            waiting > 0.0 && waiting >= MANY * (counts.of_get(get) - counts.leaks(get))
        };
        (0..counts.gets).map(waits).collect()
    }

    /// How likely it is that a class leaks, before anything is known.
    pub fn leak(&self, class: usize) -> f64 {
        LEAKS[usize::from(self.costs.classes.0.all[class].is_first)]
    }

    /// How well the names and places of a class of gets fit those of a class of puts.
    pub fn fit(&self, kind: Kind) -> f64 {
        self.fits[self.at(kind)]
    }

    /// Where a table of all kinds has this one.
    fn at(&self, (get, put): Kind) -> usize {
        get * self.plain.puts + put
    }
}

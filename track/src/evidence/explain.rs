//! Explanations of all objects of a type: for each get the put that undoes it, or none. The cheapest one counts.
//!
//! An explanation pays for each kind of pair once, and for each class of gets that leaks once, not for each object. So
//! the objects that were released overrule a pair that looks tempting in an object that leaks. Explanations begin
//! with a hypothesis, "this class is what leaks", and learn from all objects which puts go with which gets. Then
//! those that exchange two classes are tried. The others are kept, as rivals of the cheapest.

use std::collections::BTreeMap;

use super::assign::cheapest;
use super::cost::{Costs, NEVER};
use super::history::History;

/// The most different histories of objects that were released, and of live ones.
const MOST_ITEMS: usize = 150;
/// How often an explanation learns from what it has assigned.
const ROUNDS: usize = 4;
/// So many hypotheses at most.
const MOST_HYPOTHESES: usize = 8;
/// What an assignment pays for a leak of a class that the hypothesis does not blame.
const OTHER_LEAK: f64 = 8.0;
/// How much an unseen pair counts, for its fit.
const PRIOR: f64 = 0.1;
/// How likely it is that a reference leaks: that of a get, and the creator's.
const LEAKS: [f64; 2] = [0.05, 0.01];
const LEAK_PRIOR: f64 = 5.0;

/// Objects that are alike.
pub struct Item {
    /// The number that whoever asks gave it.
    pub number: usize,
    /// How many.
    pub weight: f64,
    /// The classes of the gets and of the puts.
    pub gets: Vec<usize>,
    /// The same of the puts.
    pub puts: Vec<usize>,
    /// The cost of each get with each put.
    pub costs: Vec<f64>,
    /// The events that are the gets.
    pub events: Vec<usize>,
}

impl Item {
    /// Of a history.
    pub fn new(number: usize, history: &History, weight: f64, costs: &Costs) -> Self {
        let of_kind = |is_get| {
            let events = history.events.iter().enumerate();
            events.filter(|(_, it)| it.is_get == is_get).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (events, puts) = (of_kind(true), of_kind(false));
        let stack = |at: usize| history.events[at].stack;
        Self {
            number,
            weight,
            costs: costs.of(history, &events, &puts),
            gets: events.iter().map(|&at| costs.classes.0.of(stack(at), at == 0)).collect(),
            puts: puts.iter().map(|&at| costs.classes.1.of(stack(at), false)).collect(),
            events,
        }
    }

    fn cost(&self, get: usize, put: usize) -> f64 {
        self.costs[get * self.puts.len() + put]
    }

    fn leaks(&self, pairs: &[Option<usize>]) -> Vec<usize> {
        let all = self.events.iter().zip(pairs);
        all.filter(|(_, put)| put.is_none()).map(|(&event, _)| event).collect()
    }

    fn is_live(&self) -> bool {
        self.gets.len() > self.puts.len()
    }
}

/// For each get of an item the put that undoes it.
pub type Pairs = Vec<Option<usize>>;

/// An explanation.
#[derive(Clone)]
pub struct Explanation {
    /// What it costs.
    pub cost: f64,
    /// For each item.
    pub pairs: Vec<Pairs>,
    /// How often each class of gets goes with each class of puts. The last column: how often it leaks.
    pub counts: Counts,
}

impl Explanation {
    /// The class that leaks most.
    pub fn blamed(&self) -> Option<usize> {
        let leaks = (0..self.counts.gets).map(|get| (get, self.counts.leaks(get)));
        let most = leaks.filter(|&(_, count)| count > 0.0);
        // The first of those that leak as often.
        most.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(get, _)| get)
    }
}

/// How often each class of gets goes with each class of puts.
#[derive(Clone)]
pub struct Counts {
    gets: usize,
    puts: usize,
    all: Vec<f64>,
}

impl Counts {
    fn new(gets: usize, puts: usize) -> Self {
        Self { gets, puts, all: vec![0.0; gets * (puts + 1)] }
    }

    fn add(&mut self, get: usize, put: usize, weight: f64) {
        self.all[get * (self.puts + 1) + put] += weight;
    }

    /// How often they go together.
    pub fn pairs(&self, get: usize, put: usize) -> f64 {
        self.all[get * (self.puts + 1) + put]
    }

    /// How often the class leaks.
    pub fn leaks(&self, get: usize) -> f64 {
        self.pairs(get, self.puts)
    }

    fn of_get(&self, get: usize) -> f64 {
        (0..=self.puts).map(|put| self.pairs(get, put)).sum()
    }

    /// The puts that give back what the class takes, the most frequent first.
    pub fn usual(&self, get: usize) -> Vec<(usize, f64)> {
        let puts = (0..self.puts).map(|put| (put, self.pairs(get, put)));
        let mut puts: Vec<_> = puts.filter(|&(_, count)| count > 0.0).collect();
        puts.sort_by(|a, b| b.1.total_cmp(&a.1));
        puts
    }
}

/// All objects of a type.
pub struct Explainer<'a> {
    costs: &'a Costs<'a>,
    /// Those that were released first.
    items: Vec<Item>,
    released: usize,
    /// Pairs that were plain when they happened.
    plain: Counts,
    /// How well the names of each class of gets fit those of each class of puts.
    fits: Vec<f64>,
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
        let fit = |at: usize| {
            costs.words(&costs.classes.0.all[at / puts], &costs.classes.1.all[at % puts])
        };
        let fits = (0..gets * puts).map(fit).collect();
        Self { costs, items, released, plain: counts, fits }
    }

    /// The live objects that an explanation explains, by their numbers: the gets that leak, as events.
    pub fn leaks(&self, by: &Explanation) -> BTreeMap<usize, Vec<usize>> {
        let live = self.items.iter().zip(&by.pairs).skip(self.released);
        live.map(|(item, pairs)| (item.number, item.leaks(pairs))).collect()
    }

    /// The same of an object that is not among those that were explained.
    pub fn settle(&self, item: &Item, by: &Explanation) -> Vec<usize> {
        item.leaks(&self.assign(item, &by.counts, &self.columns(&by.counts), None))
    }

    /// Explanations, the cheapest first.
    pub fn explain(&self) -> Vec<Explanation> {
        let free = self.learn(None);
        let mut suspects: BTreeMap<usize, f64> = BTreeMap::new();
        for item in &self.items[self.released..] {
            let mut classes = item.gets.clone();
            classes.sort_unstable();
            classes.dedup();
            classes.iter().for_each(|&class| *suspects.entry(class).or_default() += item.weight);
        }
        let mut suspects: Vec<_> = suspects.into_iter().collect();
        let leaks = |class: usize| free.counts.leaks(class) > 0.0;
        suspects.sort_by(|a, b| leaks(b.0).cmp(&leaks(a.0)).then(b.1.total_cmp(&a.1)));
        let mut all = vec![free.clone()];
        all.extend(
            suspects.iter().take(MOST_HYPOTHESES).map(|&(class, _)| self.learn(Some(class))),
        );
        all.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let mut classes: Vec<_> = suspects.iter().take(10).map(|&(class, _)| class).collect();
        classes.sort_unstable();
        self.exchange(&mut all, &classes);
        all
    }

    /// An explanation by a hypothesis: this class leaks, or any.
    fn learn(&self, leaking: Option<usize>) -> Explanation {
        let mut pairs: Vec<Pairs> = self.items.iter().map(|_| Vec::new()).collect();
        let mut counts = self.plain.clone();
        let first = match leaking {
            None => 0..self.released,
            Some(_) => self.released..self.items.len(),
        };
        let all = 0..self.items.len();
        let first_rounds = if leaking.is_none() { 2 } else { 1 };
        let rounds =
            std::iter::repeat_n(first, first_rounds).chain(std::iter::repeat_n(all, ROUNDS));
        for items in rounds {
            let columns = self.columns(&counts);
            for at in items.clone() {
                pairs[at] = self.assign(&self.items[at], &counts, &columns, leaking);
            }
            counts = self.count(&pairs, items);
        }
        let cost = self.cost(&pairs, &counts);
        Explanation { cost, pairs, counts }
    }

    /// How often each class of puts was assigned, and each class of gets.
    fn columns(&self, counts: &Counts) -> (Vec<f64>, Vec<f64>) {
        let of_put = |put| (0..counts.gets).map(|get| counts.pairs(get, put)).sum();
        (
            (0..counts.gets).map(|get| counts.of_get(get)).collect(),
            (0..counts.puts).map(of_put).collect(),
        )
    }

    fn count(&self, pairs: &[Pairs], items: std::ops::Range<usize>) -> Counts {
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

    fn assign(
        &self,
        item: &Item,
        counts: &Counts,
        (of_get, of_put): &(Vec<f64>, Vec<f64>),
        leaking: Option<usize>,
    ) -> Pairs {
        let puts = item.puts.len();
        let cost = |get: usize, put: usize| {
            let class = item.gets[get];
            if put >= puts {
                let prior = LEAK_PRIOR * self.leak(class);
                let share = (counts.leaks(class) + prior) / (of_get[class] + LEAK_PRIOR);
                let is_other = leaking.is_some_and(|leaking| leaking != class);
                return if is_other { OTHER_LEAK } else { 0.0 } - share.ln();
            }
            let cost = item.cost(get, put);
            if cost >= NEVER {
                return cost;
            }
            let of = item.puts[put];
            let seen =
                counts.pairs(class, of) + PRIOR * self.fits[class * self.plain.puts + of].exp();
            cost - (seen / (of_get[class] + 1.0)).ln() / 2.0
                - (seen / (of_put[of] + 1.0)).ln() / 2.0
        };
        let columns = cheapest(item.gets.len(), item.gets.len().max(puts), cost);
        columns.into_iter().map(|put| (put < puts).then_some(put)).collect()
    }

    fn leak(&self, class: usize) -> f64 {
        LEAKS[usize::from(self.costs.classes.0.all[class].is_first)]
    }

    /// What an explanation costs.
    fn cost(&self, pairs: &[Pairs], counts: &Counts) -> f64 {
        let classes = &self.costs.classes.0.all;
        let mut kinds: BTreeMap<(usize, usize), (f64, f64)> = BTreeMap::new();
        let mut objects = 0.0;
        for (item, pairs) in self.items.iter().zip(pairs) {
            objects += item.weight;
            for (get, put) in pairs.iter().enumerate() {
                let Some(put) = *put else { continue };
                let key = (item.gets[get], item.puts[put]);
                let fit = self.fits[key.0 * self.plain.puts + key.1];
                let sum = kinds.entry(key).or_default();
                sum.0 += (item.cost(get, put) - 1.5 * fit) * item.weight;
                sum.1 += item.weight;
            }
        }
        // Classes that differ in their callers alone are one here.
        let mut by_line: BTreeMap<_, (f64, f64, f64)> = BTreeMap::new();
        for ((get, put), (cost, weight)) in kinds {
            let sum = by_line.entry((classes[get].inner, put)).or_default();
            *sum = (sum.0 + cost, sum.1 + weight, sum.2 + 1.0);
        }
        let of_kind =
            |&(cost, weight, lines): &(f64, f64, f64)| 1.0 + cost / weight + 0.3 * (lines - 1.0);
        let mut sum: f64 = by_line.values().map(of_kind).sum();
        let mut leaking: BTreeMap<_, f64> = BTreeMap::new();
        let mut disorder = 0.0;
        for (get, class) in classes.iter().enumerate() {
            if counts.leaks(get) > 0.0 {
                leaking
                    .entry(class.inner)
                    .and_modify(|cost| *cost += 1.0)
                    .or_insert(2.0 - self.leak(get).ln());
            }
            let all = counts.of_get(get);
            let each = (0..=counts.puts).map(|put| counts.pairs(get, put)).filter(|&it| it > 0.0);
            disorder -= each.map(|it| it * (it / all).ln()).sum::<f64>();
        }
        sum += leaking.values().sum::<f64>();
        sum + 2.0 * disorder / objects.max(1.0)
    }

    /// Explanations in which two classes have each other's puts.
    fn exchange(&self, all: &mut Vec<Explanation>, classes: &[usize]) {
        for _ in 0..4 {
            let best = all[0].clone();
            let mut found = Vec::new();
            for (at, &x) in classes.iter().enumerate() {
                for &y in &classes[at + 1..] {
                    found.extend(self.exchanged(&best.pairs, x, y));
                }
            }
            let is_better = found.iter().any(|it: &Explanation| it.cost < best.cost - 1e-9);
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
        if !has_changed {
            return None;
        }
        let counts = self.count(&pairs, 0..self.items.len());
        Some(Explanation { cost: self.cost(&pairs, &counts), pairs, counts })
    }
}

/// The items of which there are the most objects.
fn heaviest(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut items: Vec<_> = items.collect();
    items.sort_by(|a, b| {
        b.weight.total_cmp(&a.weight).then_with(|| (&a.gets, &a.puts).cmp(&(&b.gets, &b.puts)))
    });
    items.truncate(MOST_ITEMS);
    items
}

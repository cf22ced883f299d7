//! What an explanation is made of: objects, and for each get of theirs the put that undoes it.

use super::cost::{Costs, NEVER};
use super::history::History;

/// At most so many different histories of released objects are explained, and as many of live ones.
const MOST_ITEMS: usize = 150;
/// The work to explain a history grows with its gets and with the square of its puts. This is the most for the released
/// objects, and again for the live ones: enough for about 20 histories of 96 gets and as many puts.
const MOST_WORK: usize = 20_000_000;

/// A class of gets, and the class of puts that undoes it.
pub type Kind = (usize, usize);

/// Objects that are alike.
pub struct Item {
    /// The number that whoever asks gave it.
    pub number: usize,
    /// How many.
    pub weight: f64,
    /// The class of each get.
    pub gets: Vec<usize>,
    /// The class of each put.
    pub puts: Vec<usize>,
    /// The cost of each get with each put.
    pub costs: Vec<f64>,
    /// The events that are the gets.
    pub events: Vec<usize>,
    /// The classes of gets of which one was taken by the call that has created the object.
    pub by_creator: Vec<usize>,
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
        let class = |at: usize| costs.classes.0.of(stack(at), at == 0);
        let by_creator = events[1..].iter().filter(|&&get| costs.is_by_creator(history, get));
        Self {
            number,
            weight,
            costs: costs.of(history, &events, &puts),
            gets: events.iter().map(|&at| class(at)).collect(),
            puts: puts.iter().map(|&at| costs.classes.1.of(stack(at), false)).collect(),
            by_creator: by_creator.map(|&at| class(at)).collect(),
            events,
        }
    }

    /// The cost of a get with a put.
    pub fn cost(&self, get: usize, put: usize) -> f64 {
        self.costs[get * self.puts.len() + put]
    }

    /// The gets that no put undoes, as events.
    pub fn leaks(&self, pairs: &[Option<usize>]) -> Vec<usize> {
        let all = self.events.iter().zip(pairs);
        all.filter(|(_, put)| put.is_none()).map(|(&event, _)| event).collect()
    }

    /// Whether a reference is left.
    pub fn is_live(&self) -> bool {
        self.gets.len() > self.puts.len()
    }

    /// The kind of a pair.
    pub fn kind(&self, get: usize, put: usize) -> Kind {
        (self.gets[get], self.puts[put])
    }

    /// Whether a put is paired with a get that it cannot undo, or in a way that is not allowed.
    pub fn is_wrong(&self, pairs: &[Option<usize>], never: Kind) -> bool {
        let is_wrong = |(get, put): (usize, &Option<usize>)| {
            put.is_some_and(|put| self.cost(get, put) >= NEVER || self.kind(get, put) == never)
        };
        pairs.iter().enumerate().any(is_wrong)
    }

    /// Whether a pair is of this kind.
    pub fn has(&self, pairs: &[Option<usize>], kind: Kind) -> bool {
        let mut all = pairs.iter().enumerate();
        all.any(|(get, put)| put.is_some_and(|put| self.kind(get, put) == kind))
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
    /// For each class of gets whether the release of an object that is live would give it back.
    pub waits: Vec<bool>,
}

impl Explanation {
    /// The class that leaks most. One that waits for a release is no cause if there is another.
    pub fn blamed(&self) -> Option<usize> {
        let leaks = (0..self.counts.gets).map(|get| (get, self.counts.leaks(get)));
        let rank = |(get, count): (usize, f64)| (!self.waits[get], count);
        // The first of those that leak as often.
        let most = leaks
            .filter(|&(_, count)| count > 0.0)
            .reduce(|best, next| if rank(next) > rank(best) { next } else { best });
        most.map(|(get, _)| get)
    }
}

/// How often each class of gets goes with each class of puts.
#[derive(Clone)]
pub struct Counts {
    /// The classes of gets.
    pub gets: usize,
    /// The classes of puts.
    pub puts: usize,
    all: Vec<f64>,
}

impl Counts {
    /// None yet.
    pub fn new(gets: usize, puts: usize) -> Self {
        Self { gets, puts, all: vec![0.0; gets * (puts + 1)] }
    }

    /// Adds `weight`, the number of objects that are alike. If `put` is the number of the classes of puts, it is a leak.
    pub fn add(&mut self, get: usize, put: usize, weight: f64) {
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

    /// How often the class was seen.
    pub fn of_get(&self, get: usize) -> f64 {
        (0..=self.puts).map(|put| self.pairs(get, put)).sum()
    }

    /// How often the class of puts was seen.
    pub fn of_put(&self, put: usize) -> f64 {
        (0..self.gets).map(|get| self.pairs(get, put)).sum()
    }

    /// The kinds of pairs, the rarest first.
    pub fn kinds(&self) -> Vec<Kind> {
        let all = (0..self.gets).flat_map(|get| (0..self.puts).map(move |put| (get, put)));
        let mut kinds: Vec<_> = all.filter(|&(get, put)| self.pairs(get, put) > 0.0).collect();
        kinds.sort_by(|a, b| self.pairs(a.0, a.1).total_cmp(&self.pairs(b.0, b.1)));
        kinds
    }

    /// The puts that give back what the class takes, the most frequent first.
    pub fn usual(&self, get: usize) -> Vec<(usize, f64)> {
        let puts = (0..self.puts).map(|put| (put, self.pairs(get, put)));
        let mut puts: Vec<_> = puts.filter(|&(_, count)| count > 0.0).collect();
        puts.sort_by(|a, b| b.1.total_cmp(&a.1));
        puts
    }
}

/// The items of which there are the most objects: as many as can be explained in a short time.
pub fn heaviest(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut items: Vec<_> = items.collect();
    items.sort_by(|a, b| {
        b.weight.total_cmp(&a.weight).then_with(|| (&a.gets, &a.puts).cmp(&(&b.gets, &b.puts)))
    });
    let mut work = 0;
    let is_cheap = |item: &Item| {
        let (gets, puts) = (item.gets.len(), item.puts.len());
        work += gets.min(puts).pow(2) * gets.max(puts);
        work <= MOST_WORK
    };
    items.into_iter().take(MOST_ITEMS).take_while(is_cheap).collect()
}

//! How well a put fits a get: less is better.
//!
//! The square root matters. Sums of plain distances are equal when two puts are exchanged. This cost prefers one near
//! pair and one far pair to two that are neither.

use std::collections::BTreeSet;

use super::alive::Alive;
use super::classes::{Class, Classes};
use super::history::History;
use super::passes::Common;
use super::words;
use crate::code::{Code, Id};
use crate::leaks::Key;
use crate::sources::Sources;

/// The put cannot give back this get.
pub const NEVER: f64 = 1e6;
/// A function's distance.
const STEP: f64 = 0.7;

/// Costs of a type.
pub struct Costs<'a> {
    /// The functions' names.
    pub code: &'a Code,
    /// The source files.
    pub sources: &'a Sources<'a>,
    /// The classes of gets, and of puts.
    pub classes: &'a (Classes, Classes),
    /// Words that most of the classes' functions have in their names.
    pub frequent: BTreeSet<String>,
    /// The live objects of all types.
    pub alive: &'a Alive,
    /// The type.
    pub key: Key,
}

impl Costs<'_> {
    /// Whether the puts of a class are in the release function of an object that is live.
    pub fn waits(&self, put: usize) -> bool {
        let release = self.classes.1.all[put].release;
        release.is_some_and(|it| self.alive.has_release(it, self.key))
    }

    /// Whether a get was made by the call that has created the object, or by one that this call has made.
    pub fn is_by_creator(&self, history: &History, get: usize) -> bool {
        let stack = history.events[get].stack;
        let class = &self.classes.0.all[self.classes.0.of(stack, false)];
        let common = history.common(0, get);
        let calls = usize::from(common.calls);
        calls > 0
            && common.is_one_pass
            && calls + class.frame + 1 >= self.code.described(stack).len()
    }

    /// How many live objects were created by the function that took a class of references: of other types, or with the
    /// references' own type among them. Perhaps the references belong to these objects. 0 for kref_init()'s references,
    /// which belong to whoever called it.
    pub fn created_beside(&self, get: usize, with_own: bool) -> u64 {
        let class = &self.classes.0.all[get];
        let frame = self.code.described(class.stack).get(class.frame);
        frame
            .filter(|_| !class.is_first)
            .map_or(0, |frame| self.alive.created(frame.identity, self.key, with_own))
    }

    /// The costs of a history: for each get a row, with a column for each put.
    pub fn of(&self, history: &History, gets: &[usize], puts: &[usize]) -> Vec<f64> {
        let mut open = vec![0_i32];
        for event in &history.events {
            open.push(open[open.len() - 1] + if event.is_get { 1 } else { -1 });
        }
        let mut costs = vec![NEVER; gets.len() * puts.len()];
        for (row, &get) in gets.iter().enumerate() {
            for (column, &put) in puts.iter().enumerate().filter(|&(_, &put)| get < put) {
                if history.events[get].holder != history.events[put].holder {
                    continue;
                }
                let between = (open[put] - open[get + 1]).max(0);
                let mut cost = self.pair(history, get, put)
                    + 0.5 * f64::from(1 + between).log2()
                    + 0.05 * ((put - get) as f64).log2();
                if get == 0 && column + 1 != puts.len() {
                    cost += 0.1;
                }
                costs[row * puts.len() + column] = cost;
            }
        }
        // A put whose holder has nothing gives back what it can.
        for (column, &put) in puts.iter().enumerate() {
            let rows = 0..gets.len();
            if rows.clone().all(|row| costs[row * puts.len() + column] >= NEVER) {
                for row in rows.filter(|&row| gets[row] < put) {
                    costs[row * puts.len() + column] = 5.0;
                }
            }
        }
        costs
    }

    /// The cost of a class of gets with a class of puts, of which nothing else is known.
    pub fn of_classes(&self, get: usize, put: usize) -> f64 {
        let (get, put) = (&self.classes.0.all[get], &self.classes.1.all[put]);
        2.0 * (2.0 + self.apart(get.stack, get, put.stack, put)).sqrt()
    }

    fn pair(&self, history: &History, get: usize, put: usize) -> f64 {
        let (g, p) = (&history.events[get], &history.events[put]);
        let get_class = &self.classes.0.all[self.classes.0.of(g.stack, get == 0)];
        let put_class = &self.classes.1.all[self.classes.1.of(p.stack, false)];
        let common = history.common(get, put);
        let below = |stack: Id, class: &Class| {
            let depth = self.code.described(stack).len();
            depth.saturating_sub(usize::from(common.calls) + class.frame) as f64
        };
        let (get_below, put_below) = (below(g.stack, get_class), below(p.stack, put_class));
        let far = STEP * (get_below + put_below);
        let is_same = g.thread == p.thread;
        let mut cost = 2.0 + self.apart(g.stack, get_class, p.stack, put_class);
        if common.calls > 0 {
            let pass = match common.is_one_pass {
                true if put_below == 0.0 => self.exchange(g.stack, p.stack, common),
                true => 0.0,
                false => 1.5,
            };
            cost = cost.min(far + pass);
        }
        if get_class.for_thread {
            if is_same {
                cost += 3.0;
            } else {
                cost = cost.min(0.5);
            }
        }
        if !is_same {
            cost += 0.5;
        }
        2.0 * cost.sqrt()
    }

    /// Who takes a reference and gives it back in the next line had no use for it. More often that is an exchange: one
    /// holder's reference is taken, and another's is given back.
    fn exchange(&self, get: Id, put: Id, common: Common) -> f64 {
        match common.lines(self.code.described(get), self.code.described(put)) {
            Some(0 | 1) => 2.5,
            Some(2) => 1.0,
            _ => 0.0,
        }
    }

    /// How far the two are from the nearest function that both have.
    fn apart(&self, get: Id, get_class: &Class, put: Id, put_class: &Class) -> f64 {
        let of = |stack, class: &Class| self.code.described(stack).iter().skip(class.frame);
        for (outwards, frame) in of(put, put_class).enumerate() {
            let same = of(get, get_class).position(|other| other.identity == frame.identity);
            if let Some(other) = same {
                return (STEP * (outwards + other) as f64).min(4.0);
            }
        }
        4.0
    }

    /// What the names of a class of gets and a class of puts tell: 0 to 2.
    pub fn words(&self, get: &Class, put: &Class) -> f64 {
        let pairs = get.functions.iter().flat_map(|a| put.functions.iter().map(move |b| (a, b)));
        pairs
            .filter(|(a, b)| a != b)
            .map(|(a, b)| words::fit(a, b, &self.frequent))
            .fold(0.0, f64::max)
    }
}

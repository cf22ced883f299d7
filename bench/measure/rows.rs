//! The times of all contenders, and the ratios between them.

use std::fmt;

use crate::contender::Contender;
use crate::pace::Pace;
use crate::statistics::{Estimate, median};
use crate::threads::cores;

/// How many threads do an operation at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One thread, on another core in each round.
    One,
    /// A thread on each core.
    OnEachCore,
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::One => "one thread",
            Self::OnEachCore => "a thread on each core",
        })
    }
}

/// A contender's name, and the number of threads.
pub type Figure<'a> = (&'a str, Threads);

/// The times of a set of contenders.
pub struct Rows {
    names: Vec<String>,
    passes: Vec<Pass>,
}

/// The nanoseconds of all turns: for each round, for each contender, alone and on each core. Not a
/// number where another program took a core.
type Pass = Vec<f64>;

impl Rows {
    /// Measures all `contenders`, in passes of `rounds` rounds if the run is a full one.
    pub fn measure(contenders: &[Contender], pace: Pace, rounds: usize) -> Self {
        let names = contenders.iter().map(|contender| contender.name.clone()).collect();
        let pass = |_| pass(contenders, pace.rounds(rounds));
        Self { names, passes: (0..pace.passes()).map(pass).collect() }
    }

    /// Whether there is a row of that name. A peer's row is missing where the peer is not installed.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|other| other == name)
    }

    /// The nanoseconds of one operation.
    pub fn nanoseconds(&self, figure: Figure) -> Estimate {
        let own = self.place(figure);
        self.estimate(|round| round[own])
    }

    /// The ratio of `own` to `other` in the same round.
    pub fn ratio(&self, own: Figure, other: Figure) -> Estimate {
        let [own, other] = [own, other].map(|figure| self.place(figure));
        self.estimate(|round| round[own] / round[other])
    }

    /// The share of the turns in which another program took a core, and which therefore do not count.
    pub fn lost(&self) -> f64 {
        let turns = || self.passes.iter().flatten();
        turns().filter(|turn| turn.is_nan()).count() as f64 / turns().count() as f64
    }

    /// The median, over the passes, of the medians of each pass's rounds. A pass in which no round
    /// counts is left out.
    fn estimate(&self, of_round: impl Fn(&[f64]) -> f64) -> Estimate {
        let of_pass = |pass: &Pass| {
            let rounds = pass.chunks_exact(2 * self.names.len()).map(&of_round);
            median(rounds.filter(|number| !number.is_nan()).collect())
        };
        let passes = self.passes.iter().map(of_pass);
        Estimate::of(passes.filter(|number| !number.is_nan()).collect())
    }

    /// The place of a figure in a round.
    fn place(&self, (name, threads): Figure) -> usize {
        let who = self.names.iter().position(|other| other == name);
        let who = who.unwrap_or_else(|| panic!("no row has the name {name:?}"));
        2 * who + usize::from(threads == Threads::OnEachCore)
    }
}

/// One pass: in each round, every contender has a turn alone and a turn on each core.
fn pass(contenders: &[Contender], rounds: usize) -> Pass {
    let cores = cores();
    let operations = |cores: &[usize]| {
        contenders.iter().map(|who| who.operations_in_a_turn(cores)).collect::<Vec<_>>()
    };
    let (alone, together) = (operations(&cores[..1]), operations(&cores));
    let mut pass = vec![0.0; rounds * contenders.len() * 2];
    for (round, times) in pass.chunks_exact_mut(contenders.len() * 2).enumerate() {
        let core = round % cores.len();
        for turn in 0..contenders.len() {
            // Another contender begins each round, so that none is always the first.
            let who = (round + turn) % contenders.len();
            times[2 * who] = contenders[who].nanoseconds(alone[who], &cores[core..=core]);
            times[2 * who + 1] = contenders[who].nanoseconds(together[who], &cores);
        }
    }
    pass
}

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
pub struct Rows(Vec<Row>);

struct Row {
    name: String,
    one: Passes,
    on_each_core: Passes,
}

/// For each pass, the nanoseconds of an operation in each of its rounds; `None` where another program
/// took a core.
type Passes = Vec<Vec<Option<f64>>>;

impl Rows {
    /// Measures all `contenders`, in passes of `rounds` rounds if the run is a full one.
    pub fn measure(contenders: &[Contender], pace: Pace, rounds: usize) -> Self {
        let cores = cores();
        let mut rows: Vec<_> = contenders.iter().map(Row::new).collect();
        for _ in 0..pace.passes() {
            pass(contenders, &mut rows, &cores, pace.rounds(rounds));
        }
        Self(rows)
    }

    /// Whether there is a row of that name. A peer's row is missing where the peer is not installed.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|row| row.name == name)
    }

    /// The nanoseconds of one operation.
    pub fn nanoseconds(&self, figure: Figure) -> Estimate {
        self.estimate([figure, figure], |own, _| own)
    }

    /// The ratio of `own` to `other` in the same round.
    pub fn ratio(&self, own: Figure, other: Figure) -> Estimate {
        self.estimate([own, other], |own, other| own / other)
    }

    /// The share of the turns in which another program took a core, and which therefore do not count.
    pub fn lost(&self) -> f64 {
        let passes = self.0.iter().flat_map(|row| row.one.iter().chain(&row.on_each_core));
        let turns: Vec<_> = passes.flatten().collect();
        turns.iter().filter(|turn| turn.is_none()).count() as f64 / turns.len() as f64
    }

    /// The median, over the passes, of the medians of each pass's rounds. A pass that has no round
    /// in which both figures count is left out.
    fn estimate(&self, figures: [Figure; 2], of: impl Fn(f64, f64) -> f64) -> Estimate {
        let [own, other] = figures.map(|figure| self.passes(figure));
        let of_round = |(own, other): (&Option<f64>, &Option<f64>)| Some(of((*own)?, (*other)?));
        let of_pass = |(own, other): (&Vec<_>, &Vec<_>)| {
            let rounds: Vec<_> = own.iter().zip(other).filter_map(of_round).collect();
            (!rounds.is_empty()).then(|| median(rounds))
        };
        Estimate::of(own.iter().zip(other).filter_map(of_pass).collect())
    }

    fn passes(&self, (name, threads): Figure) -> &Passes {
        let row = self.0.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("no row has the name {name:?}"));
        match threads {
            Threads::One => &row.one,
            Threads::OnEachCore => &row.on_each_core,
        }
    }
}

impl Row {
    fn new(contender: &Contender) -> Self {
        Self { name: contender.name.clone(), one: vec![], on_each_core: vec![] }
    }
}

/// One pass: in each round, every contender has a turn alone and a turn on each core.
fn pass(contenders: &[Contender], rows: &mut [Row], cores: &[usize], rounds: usize) {
    let operations = |cores: &[usize]| {
        contenders.iter().map(|who| who.operations_in_a_turn(cores)).collect::<Vec<_>>()
    };
    let (alone, together) = (operations(&cores[..1]), operations(cores));
    for row in &mut *rows {
        row.one.push(vec![]);
        row.on_each_core.push(vec![]);
    }
    for round in 0..rounds {
        let core = round % cores.len();
        for turn in 0..contenders.len() {
            // Another contender begins each round, so that none is always the first.
            let who = (round + turn) % contenders.len();
            let (contender, row) = (&contenders[who], &mut rows[who]);
            let time = contender.nanoseconds(alone[who], &cores[core..=core]);
            row.one.last_mut().expect("this pass").push(time);
            let time = contender.nanoseconds(together[who], cores);
            row.on_each_core.last_mut().expect("this pass").push(time);
        }
    }
}

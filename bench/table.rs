//! The ratios, from short rounds in which all the contenders take turns.

use std::fmt;

use crate::contender::{Contender, Limit, Of, Threads};
use crate::pace::Pace;

/// By one thread: so short that some of them find the core quiet.
const BRIEF: Rounds = Rounds { rounds: 30_000, operations: 2_000 };

/// By several: long beside the microsecond in which they start.
const LONG: Rounds = Rounds { rounds: 400, operations: 20_000 };

struct Rounds {
    rounds: usize,
    operations: u64,
}

/// What each contender takes, by one thread and by one on each core.
pub struct Table {
    operation: &'static str,
    cores: usize,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    one: Cost,
    each: Cost,
    /// With a thread on each core, to one of them alone.
    slowdown: f64,
    verdict: String,
}

struct Cost {
    /// The median.
    nanoseconds: f64,
    /// To the first contender in the same round, the median.
    ratio: f64,
    /// To the first contender in the fastest rounds of both.
    quiet: f64,
}

/// What the columns mean.
pub const LEGEND: &str = "\
ratio: to the first row. Medians of rounds in which all take turns, apart from criterion's figures;
       a round in which another program took a core is done again.
quiet: the same between the fastest rounds, one in fifty. A core may have another half, and work
       there slows all contenders down to much the same pace; least of all in these rounds.
x one: what an operation takes with a thread on each core, to what it takes by one of them alone.
";

impl Table {
    pub fn measure(operation: &'static str, contenders: &[Contender], pace: Pace) -> Self {
        let each_core = Threads::on_each_core();
        let [one] = BRIEF.times(contenders, [&[Threads::One]], pace);
        let together = std::slice::from_ref(&each_core);
        let [apart, each] = LONG.times(contenders, [&each_core.apart(), together], pace);
        let measured = Measured { contenders, one, apart, each };
        let rows = (0..contenders.len()).map(|who| measured.row(who)).collect();
        Self { operation, cores: each_core.count(), rows }
    }
}

/// Nanoseconds for each contender and round.
type Times = Vec<Vec<f64>>;

impl Rounds {
    /// For each way to have threads; in each the alternatives take turns, too.
    fn times<const WAYS: usize>(
        &self,
        contenders: &[Contender],
        ways: [&[Threads]; WAYS],
        pace: Pace,
    ) -> [Times; WAYS] {
        let rounds = pace.of(self.rounds);
        let mut times = ways.map(|_| vec![Vec::with_capacity(rounds); contenders.len()]);
        for round in 0..rounds {
            for turn in 0..contenders.len() {
                // Another begins each time, so that none is always the first.
                let who = (round + turn) % contenders.len();
                for (way, times) in ways.iter().zip(&mut times) {
                    let threads = &way[round % way.len()];
                    times[who].push(contenders[who].nanoseconds(self.operations, threads));
                }
            }
        }
        times
    }
}

struct Measured<'a> {
    contenders: &'a [Contender],
    one: Times,
    apart: Times,
    each: Times,
}

impl Measured<'_> {
    fn row(&self, who: usize) -> Row {
        let (one, each) = (Cost::new(&self.one, who, 0), Cost::new(&self.each, who, 0));
        let slowdown = median_ratio(&self.each[who], &self.apart[who]);
        let Contender { name, ref limits, .. } = self.contenders[who];
        let places = |of| match of {
            Of::FirstAlone => vec![("one thread".into(), one.ratio), ("quiet".into(), one.quiet)],
            Of::FirstContended => vec![("each core".into(), each.ratio)],
            Of::OneThread => vec![("x one".into(), slowdown)],
            Of::Alone(other) => {
                let is_it = |contender: &Contender| contender.name == other;
                let at = self.contenders.iter().position(is_it).expect("a contender's name");
                let Cost { ratio, quiet, .. } = Cost::new(&self.one, who, at);
                let told = format!("to \"{other}\" {ratio:.3}, quiet {quiet:.3}");
                vec![(told, ratio.max(quiet))]
            }
        };
        let same = limits.chunk_by(|limit, next| limit.most == next.most);
        let verdict = |same: &[Limit]| {
            let places: Vec<_> = same.iter().flat_map(|limit| places(limit.of)).collect();
            verdict(same[0].most, &places)
        };
        let verdict = same.map(verdict).collect::<Vec<_>>().join("; ");
        Row { name, one, each, slowdown, verdict }
    }
}

/// Whether a limit holds, and where or where not.
fn verdict(most: f64, places: &[(String, f64)]) -> String {
    let above: Vec<_> = places.iter().filter(|place| place.1 > most).collect();
    let (word, which) =
        if above.is_empty() { ("within", places.iter().collect()) } else { ("ABOVE", above) };
    let which: Vec<_> = which.iter().map(|place| &*place.0).collect();
    format!("{word} {most:.2}: {}", which.join(", "))
}

impl Cost {
    fn new(times: &Times, who: usize, beside: usize) -> Self {
        let quiet = |who: usize| quantile(times[who].clone(), 1, 50);
        Self {
            nanoseconds: median(times[who].clone()),
            ratio: median_ratio(&times[who], &times[beside]),
            quiet: quiet(who) / quiet(beside),
        }
    }
}

/// The median of the rounds' ratios.
pub fn median_ratio(own: &[f64], other: &[f64]) -> f64 {
    median(own.iter().zip(other).map(|(own, other)| own / other).collect())
}

pub fn median(numbers: Vec<f64>) -> f64 {
    quantile(numbers, 1, 2)
}

/// What `part` of `whole` numbers stay below.
fn quantile(mut numbers: Vec<f64>, part: usize, whole: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() * part / whole]
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = format!("one on each of {} cores", self.cores);
        writeln!(f, "{:33}{:>22}{:>28}", self.operation, "one thread", each)?;
        write!(f, "{:33}{:>6}{:>8}{:>8}", "", "ns", "ratio", "quiet")?;
        writeln!(f, "{:>12}{:>8}{:>8}", "ns", "ratio", "x one")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, one, each, slowdown, verdict } = self;
        write!(f, "{name:33}{:6.2}{:8.3}{:8.3}", one.nanoseconds, one.ratio, one.quiet)?;
        write!(f, "{:12.2}{:8.3}{slowdown:8.2}  {verdict}", each.nanoseconds, each.ratio)
    }
}

//! The ratios, from short rounds in which all the contenders take turns.

use std::fmt;

use crate::contender::{Contender, Threads};

/// By one thread: so short that some of them find the core quiet.
const BRIEF: Rounds = Rounds { rounds: 30_000, operations: 2_000 };

/// By several: long beside the microsecond in which they start.
const LONG: Rounds = Rounds { rounds: 500, operations: 20_000 };

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
    limit: Option<f64>,
    one: Cost,
    each: Cost,
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
ratio: to the first row. Medians of rounds in which all take turns, apart from criterion's figures.
quiet: the same between the fastest rounds, one in fifty. A core may have another half, and work
       there slows all contenders down to much the same pace; least of all in these rounds.
";

impl Table {
    pub fn measure(operation: &'static str, contenders: &[Contender]) -> Self {
        let each_core = Threads::on_each_core();
        let one = BRIEF.costs(contenders, &Threads::One);
        let each = LONG.costs(contenders, &each_core);
        let rows = contenders.iter().zip(one).zip(each);
        let rows = rows.map(|((contender, one), each)| {
            let &Contender { name, limit, .. } = contender;
            Row { name, limit, one, each }
        });
        Self { operation, cores: each_core.count(), rows: rows.collect() }
    }
}

impl Rounds {
    fn costs(&self, contenders: &[Contender], threads: &Threads) -> Vec<Cost> {
        let mut times = vec![Vec::with_capacity(self.rounds); contenders.len()];
        for round in 0..self.rounds {
            for turn in 0..contenders.len() {
                // Another begins each time, so that none is always the first.
                let who = (round + turn) % contenders.len();
                let time = contenders[who].time(self.operations, threads).as_secs_f64();
                times[who].push(time * 1e9 / self.operations as f64);
            }
        }
        times.iter().map(|own| Cost::new(own, &times[0])).collect()
    }
}

impl Cost {
    fn new(own: &[f64], first: &[f64]) -> Self {
        let ratios = own.iter().zip(first).map(|(own, first)| own / first);
        let quiet = |times: &[f64]| quantile(times.to_vec(), 1, 50);
        Self {
            nanoseconds: quantile(own.to_vec(), 1, 2),
            ratio: quantile(ratios.collect(), 1, 2),
            quiet: quiet(own) / quiet(first),
        }
    }
}

/// What `part` of `whole` numbers stay below.
fn quantile(mut numbers: Vec<f64>, part: usize, whole: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() * part / whole]
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = format!("one on each of {} cores", self.cores);
        writeln!(f, "{:33}{:>22}{:>26}", self.operation, "one thread", each)?;
        writeln!(f, "{:33}{:>6}{:>8}{:>8}{:>18}{:>8}", "", "ns", "ratio", "quiet", "ns", "ratio")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, one, each, .. } = self;
        write!(f, "{name:33}{:6.2}{:8.3}{:8.3}", one.nanoseconds, one.ratio, one.quiet)?;
        write!(f, "{:18.2}{:8.3}  {}", each.nanoseconds, each.ratio, self.verdict())
    }
}

impl Row {
    /// Whether the limit holds, and if not, where.
    fn verdict(&self) -> String {
        let Some(limit) = self.limit else { return String::new() };
        let places = [
            ("one thread", self.one.ratio),
            ("quiet", self.one.quiet),
            ("each core", self.each.ratio),
        ];
        let above: Vec<_> = places.iter().filter(|place| place.1 > limit).map(|at| at.0).collect();
        match &above[..] {
            [] => format!("within {limit:.2}"),
            above => format!("ABOVE {limit:.2}: {}", above.join(", ")),
        }
    }
}

//! How many lookups pay for a write.

use std::fmt::Write;

use kref_bench::{Contender, Figure, Loops, Rows, Threads};

use crate::writes::WAYS;

/// The legend of the tables.
pub const LEGEND: &str = "\
lookups for a write: an operation is a lookup and put, or a write. A write publishes a new object and
gives the old one back, to percpu_ref_slot by percpu_ref_kill(). Every thread reads and writes.
Ratios are to the mutex. even at: with so many lookups for a write, the ratio is one.
";

/// The numbers of lookups for each write.
const LOOKUPS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1000, 3000];

/// A contender for each way and each number of lookups.
pub fn contenders(loops: Loops) -> Vec<Contender> {
    let contenders_of = |(name, prefix)| {
        let mixed = loops.mixed(&format!("{prefix}_mixed"));
        LOOKUPS.map(|lookups| Contender::new(row(name, lookups), move |n| mixed(n, lookups)))
    };
    WAYS.into_iter().flat_map(contenders_of).collect()
}

/// The name of a row: a write and the lookups that follow.
fn row(way: &str, lookups: u64) -> String {
    format!("{way}, {lookups} lookups for a write")
}

/// The ratios of an operation's cost to the cost under a mutex, by the lookups for each write.
pub fn table(threads: Threads, rows: &Rows) -> String {
    let mut text = format!("{:44}", format!("lookups for a write, {threads}"));
    LOOKUPS.iter().for_each(|lookups| _ = write!(text, "{lookups:>8}"));
    let _ = write!(text, "{:>12}\n{:44}", "even at", "mutex by hand, ns");
    for lookups in LOOKUPS {
        let mutex: Figure = (&row(WAYS[0].0, lookups), threads);
        let _ = write!(text, "{:>8.0}", rows.nanoseconds(mutex).median / (lookups + 1) as f64);
    }
    text.push('\n');
    for (way, _) in &WAYS[1..] {
        let ratios = LOOKUPS.map(|lookups| {
            let [own, mutex] = [way, WAYS[0].0].map(|name| row(name, lookups));
            rows.ratio((&own, threads), (&mutex, threads)).median
        });
        let _ = write!(text, "{way:44}");
        ratios.iter().for_each(|ratio| _ = write!(text, "{ratio:>8.2}"));
        let _ = writeln!(text, "{:>12}", even_at(&ratios));
    }
    text
}

/// The number of lookups for a write at which the ratio falls below one.
fn even_at(ratios: &[f64; LOOKUPS.len()]) -> String {
    let Some(above) = ratios.iter().rposition(|&ratio| ratio >= 1.0) else {
        return format!("< {}", LOOKUPS[0]);
    };
    let below = above + 1;
    if below == LOOKUPS.len() {
        return format!("> {}", LOOKUPS[above]);
    }
    // On a straight line between the two, where both scales are logarithmic.
    let [high, low] = [ratios[above], ratios[below]].map(f64::ln);
    let [few, many] = [LOOKUPS[above], LOOKUPS[below]].map(|lookups| (lookups as f64).ln());
    format!("{:.0}", (few + (many - few) * high / (high - low)).exp())
}

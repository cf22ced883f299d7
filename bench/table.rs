//! The ratios, from rounds in which every contender takes its turn.

use crate::contender::Contender;

/// How many rounds, and how many operations in each. Short rounds, so that there are many; but
/// threads must run together for much longer than it takes to start them all.
fn rounds(threads: usize) -> (usize, u64) {
    if threads == 1 { (3_001, 20_000) } else { (101, 400_000) }
}

pub struct Table {
    heading: String,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    nanoseconds: f64,
    ratio: f64,
    limit: Option<f64>,
}

impl Table {
    /// Medians over the rounds: of the time, and of the ratio to the first contender in that round.
    pub fn measure(what: &str, contenders: &[Contender], threads: usize) -> Self {
        let (rounds, operations) = rounds(threads);
        let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
        for _ in 0..rounds {
            for (contender, times) in contenders.iter().zip(&mut times) {
                let time = contender.time(operations, threads);
                times.push(time.as_secs_f64() * 1e9 / operations as f64);
            }
        }
        let row = |(contender, own): (&Contender, &Vec<f64>)| Row {
            name: contender.name,
            nanoseconds: median(own.clone()),
            ratio: median(own.iter().zip(&times[0]).map(|(own, first)| own / first).collect()),
            limit: contender.limit,
        };
        let rows = contenders.iter().zip(&times).map(row).collect();
        let plural = if threads == 1 { "" } else { "s" };
        let heading = format!("{what}, {threads} thread{plural} (medians of {rounds} rounds)");
        Self { heading, rows }
    }

    pub fn print(&self) {
        println!("\n{}", self.heading);
        println!("  {:<32} {:>8}  {:>6}", "", "ns", "ratio");
        for Row { name, nanoseconds, ratio, limit } in &self.rows {
            let verdict = match limit {
                Some(limit) if ratio > limit => format!("  ABOVE {limit}"),
                Some(limit) => format!("  at most {limit}: held"),
                None => String::new(),
            };
            println!("  {name:<32} {nanoseconds:>8.2}  {ratio:>6.3}{verdict}");
        }
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

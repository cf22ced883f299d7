//! The cost of a reference: libkref in C, inlined and called, and in Rust, next to code written by
//! hand, GLib, std's `Arc` and liburcu.
//!
//! Each row is measured once, by one of two:
//!
//! - **Our tables** (../measure) have everything that is compared: nanoseconds, ratios with their
//!   intervals, and the goals. criterion measures one function after the other, so that a machine
//!   that changes its pace between two of them changes their ratio. In our rounds all take turns.
//! - **criterion** has the times that are compared with nothing (writes.rs): a write, alone and while
//!   another thread reads.
//!
//! | file | rows |
//! |---|---|
//! | rows.rs | gets, puts and lookups by one thread and by a thread on each core; the goals |
//! | crossover.rs | mixes of lookups and writes: how many lookups pay for a write |
//! | writes.rs | criterion's: the time of a write |
//! | rust.rs, peers.rs, loops.c, writers.c, peers/ | the contenders |
//!
//! `KREF_BENCH=quick` takes a thirtieth of the rounds.

mod crossover;
mod peers;
mod rows;
mod rust;
mod writes;

use kref_bench::{Loops, Pace, Rows, Threads, compiler, cores, prepare_the_process, table};

const LEGEND: &str = "\
ns: the time of one operation. ratio: to the first row. Both are medians of rounds in which all take
    turns. A turn in which another program took a core is lost: it does not count.
95 %: the interval of the ratio, with a confidence of 95 %. Where the machine changes its pace so
    slowly that this run is too short for that, the smallest and the largest ratio of all passes.
    The interval is about this run; ratios on each core differ by some hundredths between runs.
x one: the time by a thread on each core, to the time by one thread.
within, ABOVE: the whole interval is below the limit, or above. not shown: neither, so that this run
    does not tell; c-tests/codegen holds the instructions to what they shall be on every machine.
";

fn main() {
    prepare_the_process();
    let pace = Pace::asked_for();
    let (peers, missing) = peers::found();
    let writers = Loops::compile("bench/costs/writers.c", "writers", &[]);
    let contenders = [rows::contenders(), peers, crossover::contenders(writers)].into_iter();
    let rows = Rows::measure(&contenders.flatten().collect::<Vec<_>>(), pace, 60);
    for (title, names) in rows::TABLES {
        println!("\n{}", table(title, names, &rows));
    }
    for threads in [Threads::One, Threads::OnEachCore] {
        println!("{}", crossover::table(threads, &rows));
    }
    println!("goals");
    rows::GOALS.iter().for_each(|goal| println!("{}", goal.judge(&rows)));
    println!("\n{LEGEND}{}", crossover::LEGEND);
    let compiler = compiler().kind().name();
    println!("cores: {}; turns lost: {:.1} %", cores().len(), 100.0 * rows.lost());
    println!("C is compiled by {compiler} -O2");
    for package in missing {
        println!("left out: {package}, which pkg-config does not find");
    }
    println!();
    writes::time(writers, pace);
}

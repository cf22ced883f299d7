//! What a reference costs: libkref in C, inlined and called, and in Rust, next to what is written by
//! hand, GLib, std's `Arc` and liburcu.
//!
//! Each row is measured once, by one of two:
//!
//! - **Our tables** (../measure) have everything that is compared: nanoseconds, ratios with their
//!   intervals, and the goals. criterion measures one function after the other, so that a machine
//!   that changes its pace between two of them changes their ratio. In our rounds all take turns.
//! - **criterion** has the times that stand for themselves (writes.rs): a write, while other threads
//!   read.
//!
//! | file | rows |
//! |---|---|
//! | rows.rs | what is measured by one thread and by a thread on each core, the tables, the goals |
//! | crossover.rs | how many lookups pay for a write |
//! | writes.rs | criterion's: the time of a write |
//! | rust.rs, peers.rs, loops.c, writers.c, peers/ | the contenders |
//!
//! `KREF_BENCH=quick` takes a tenth of the rounds and a fifth of the passes.

mod crossover;
mod peers;
mod rows;
mod rust;
mod writes;

use kref_bench::{Loops, Pace, Rows, compiler, cores, table};

const LEGEND: &str = "\
ratio: to the first row, the median of the rounds in which all take turns.
95 %: the interval in which the median lies with a confidence of at least 95 %.
x one: a thread on each core, to one thread.
within, ABOVE: the interval is below the limit, or above. not shown: the limit is inside the
interval, so that this run does not tell; c-tests/codegen holds the instructions to what they shall
be, on every machine.
";

fn main() {
    peers::align_static_tls();
    be_a_program_with_threads();
    let pace = Pace::asked_for();
    let (peers, missing) = peers::found();
    let measured = Rows::measure(&rows::contenders(peers), pace, 100);
    for (title, names) in rows::TABLES {
        println!("\n{}", table(title, names, &measured));
    }
    println!("goals");
    rows::GOALS.iter().for_each(|goal| println!("{}", goal.judge(&measured)));
    let writers = Loops::compile("bench/costs/writers.c", "writers", &[]);
    println!("\n{}\n{LEGEND}{}", crossover::tables(writers, pace), crossover::LEGEND);
    println!(
        "lost: {:.0} % of the turns, in which another program took a core",
        100.0 * measured.lost()
    );
    for package in missing {
        println!("left out: {package}, which pkg-config does not find");
    }
    println!("{} cores; C compiled by {} -O2\n", cores().len(), compiler().kind().name());
    writes::time(writers, pace);
}

/// glibc's mutex leaves its atomic instructions out until a process has had a second thread, and
/// membarrier(2) has nothing to do while it has none.
fn be_a_program_with_threads() {
    std::thread::spawn(|| {
        loop {
            std::thread::park()
        }
    });
}

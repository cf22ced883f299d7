//! What an object of a pool costs: to find it by its handle, and to make it and free it. Next to the tables that
//! people have otherwise.
//!
//! | file | what it has |
//! |---|---|
//! | tables.rs | what finds an object by its id; the peers that are installed |
//! | walk.h, peers/, rust.rs | the loops over these tables, in C and in Rust |
//! | makers.rs, make.c | making and freeing |
//! | summary.rs | the nanoseconds of all tables, as docs/costs.md has them |
//!
//! ../measure says how all this is measured, and ../costs/main.rs what a table's columns are. `KREF_BENCH=quick`
//! takes a thirtieth of the rounds.

mod makers;
mod rust;
mod summary;
mod tables;

use kref_bench::Threads::{OnEachCore, One};
use kref_bench::{Goal, Pace, Rows, compiler, cores, prepare_the_process, table};

use tables::{AT_HAND, CALLED, PEERS, POOL, RUST, TYPED, Table};

/// The numbers of objects.
const SIZES: [(usize, &str); 3] =
    [(1, "one object"), (1000, "1,000 objects"), (1_000_000, "1,000,000 objects")];

/// How many operations there are for each replacement of an object; 0: none.
const MIXES: [(u64, &str); 3] =
    [(0, "no writer"), (10, "1 in 10 replaces"), (2, "1 in 2 replaces")];

const LEGEND: &str = "\
lookup + put: each thread looks up the next of so many objects, in random order. A replacement makes an
    object, puts it into the table, takes the old one out, and gives the last reference back.
make here, put there: every second thread gives back what the thread before has made.
bytes: memory for an object of 56 bytes with its count, without the list of ids.
";

fn main() {
    prepare_the_process();
    let pace = Pace::asked_for();
    let mut lookups = Vec::new();
    for size in SIZES {
        let (tables, missing) = tables::found(size.0);
        for mix in MIXES {
            lookups.push(Part::lookups(&tables, size, mix, pace));
        }
        if size == SIZES[2] {
            print_bytes(&tables);
            missing.iter().for_each(|package| println!("left out: {package} is not installed"));
        }
    }
    let making = Part::making(pace);
    summary::print(&lookups);
    println!("goals");
    let parts = || lookups.iter().chain([&making]);
    for part in parts() {
        part.goals.iter().for_each(|goal| println!("{}, {}", goal.judge(&part.rows), part.title));
    }
    println!("\n{LEGEND}");
    let lost = parts().map(|part| part.rows.lost()).sum::<f64>() / parts().count() as f64;
    println!("cores: {}; turns lost: {:.1} %", cores().len(), 100.0 * lost);
    println!("C is compiled by {} -O2", compiler().kind().name());
}

/// What takes turns with each other.
struct Part {
    title: String,
    rows: Rows,
    goals: Vec<Goal>,
}

impl Part {
    /// Lookups in tables of one size. Prints their table.
    fn lookups(tables: &[Table], size: (usize, &str), mix: (u64, &str), pace: Pace) -> Self {
        let ((objects, size), (every, mix)) = (size, mix);
        let contenders: Vec<_> = tables.iter().filter_map(|each| each.contender(every)).collect();
        let rows = Rows::measure(&contenders, pace, ROUNDS);
        let title = format!("{size}, {mix}");
        println!("\n{}", table(&title, &names(every), &rows));
        Self { title, rows, goals: goals(objects, every) }
    }

    /// Making and freeing. Prints its tables.
    fn making(pace: Pace) -> Self {
        let rows = Rows::measure(&makers::contenders(), pace, ROUNDS);
        for (title, names) in makers::TABLES {
            println!("\n{}", table(title, names, &rows));
        }
        Self { title: "make + put".into(), rows, goals: makers::GOALS.into() }
    }
}

/// The rounds of a pass: fewer than in ../costs, because there are more rows.
const ROUNDS: usize = 20;

/// The rows. The first one is that with which the others are compared.
fn names(every: u64) -> Vec<&'static str> {
    let own: &[&str] = if every == 0 { &[AT_HAND, POOL, TYPED, CALLED, RUST] } else { &[POOL] };
    [own, &PEERS].concat()
}

fn goals(objects: usize, every: u64) -> Vec<Goal> {
    let peers = [One, OnEachCore].map(|threads| Goal::new(1.0, (POOL, threads), (&PEERS, threads)));
    if every != 0 {
        return peers.into();
    }
    let most = if objects > 1000 { 1.5 } else { 1.05 };
    let floor = [
        Goal::new(most, (POOL, One), (&[AT_HAND], One)),
        Goal::new(1.5, (POOL, OnEachCore), (&[AT_HAND], OnEachCore)),
    ];
    floor.into_iter().chain(peers).collect()
}

fn print_bytes(tables: &[Table]) {
    println!("{:37}{:>8}", "bytes an object", "");
    for table in tables.iter().filter(|table| ![TYPED, CALLED].contains(&table.name)) {
        println!("{:37}{:8.1}", table.name, table.bytes);
    }
}

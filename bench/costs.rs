//! What a reference costs: libkref in C inlined, out of line, and in Rust, against atomics written
//! by hand and std's `Arc`; a lookup through a slot against lookups under a mutex. On one thread, and
//! with a thread on each core sharing one object.
//!
//! criterion gives each figure; the table at the end gives the ratios. It is measured apart, in many
//! short rounds that each run all the contenders, so that a machine which grows slower or faster in
//! the meantime does so for all of them.

mod contender;
mod table;

use std::time::Duration;

use contender::{Contender, lookups, references};
use criterion::{BenchmarkId, Criterion};
use table::Table;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(50)
        .configure_from_args();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tables = Vec::new();
    for (what, contenders) in [("get and put", references()), ("lookup and put", lookups())] {
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            measure(&mut criterion, what, &contenders, threads);
            tables.push(Table::measure(what, &contenders, threads));
        }
    }
    criterion.final_summary();
    for table in tables {
        table.print();
    }
}

fn measure(criterion: &mut Criterion, what: &str, contenders: &[Contender], threads: usize) {
    let mut group = criterion.benchmark_group(format!("{what}, {threads} threads"));
    for contender in contenders {
        group.bench_function(BenchmarkId::from_parameter(contender.name), |bencher| {
            bencher.iter_custom(|n| contender.time(n, threads));
        });
    }
    group.finish();
}

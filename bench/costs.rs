//! What a reference costs: libkref in C, inlined and called, and in Rust, next to atomics written
//! by hand and std's `Arc`; and what a lookup costs, from a slot and under a mutex. By one thread,
//! and by as many as there are cores, all on the same object.
//!
//! criterion times each by itself. The table at the end has the ratios, and is measured apart: in
//! short rounds in which all take turns, so that a machine which changes its pace changes it for
//! all of them.

mod c;
mod contender;
mod rust;
mod table;

use std::time::Duration;

use c::{Build, Loops};
use contender::{Contender, Threads};
use criterion::{BenchmarkId, Criterion};
use table::Table;

fn main() {
    // glibc's mutex leaves its atomics out until a process has had a second thread. Programs that
    // have locks have threads.
    std::thread::spawn(|| ()).join().expect("nothing to fail");

    let inline = Loops::of(Build::Inline);
    let groups = [("get + put", references(&inline)), ("lookup + put", lookups(&inline))];
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
        .nresamples(10_000)
        .configure_from_args();
    for (operation, contenders) in &groups {
        time(&mut criterion, &format!("{operation}, one thread"), contenders, &Threads::One);
        let threads = Threads::on_each_core();
        time(&mut criterion, &format!("{operation}, each core"), contenders, &threads);
    }
    // Not for `cargo test --benches`, which wants to know whether everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        for (operation, contenders) in &groups {
            print!("\n{}", Table::measure(operation, contenders));
        }
        println!("\n{}C is compiled by {} -O2.", table::LEGEND, c::compiler().kind().name());
    }
}

/// One criterion group. Its figures are per operation of each thread.
fn time(criterion: &mut Criterion, name: &str, contenders: &[Contender], threads: &Threads) {
    let mut group = criterion.benchmark_group(name);
    for contender in contenders {
        group.bench_function(BenchmarkId::from_parameter(contender.name), |bencher| {
            bencher.iter_custom(|n| contender.time(n, threads));
        });
    }
    group.finish();
}

/// Taking a reference and giving it back.
fn references(inline: &Loops) -> Vec<Contender> {
    let called = |build, name| Loops::of(build).contender(name, "get_put").at_most(1.25);
    vec![
        inline.contender("C11 atomics by hand", "get_put_by_hand"),
        inline.contender("C, inlined", "get_put").at_most(1.05),
        called(Build::Archive, "C, calling libkref.a"),
        called(Build::Shared, "C, calling libkref.so"),
        called(Build::SharedNoPlt, "C, calling libkref.so, -fno-plt"),
        rust::kref("Rust, Kref"),
        rust::reference("Rust, Ref"),
        rust::arc("std Arc"),
    ]
}

/// Finding the one published object, taking a reference, and giving it back.
fn lookups(inline: &Loops) -> Vec<Contender> {
    vec![
        inline.contender("mutex by hand", "lookup_by_hand"),
        inline.contender("kref_lookup_mutex", "lookup_mutex"),
        inline.contender("kref_slot_get", "lookup_slot"),
    ]
}

//! What a reference costs: libkref in C, inlined and called, and in Rust, next to what is written by
//! hand, std's `Arc` and liburcu. By one thread, and by as many as there are cores, all on the same
//! object. And what those pay who write: for a replace, and how rare it has to be.
//!
//! criterion times each by itself. The tables at the end have the ratios, and are measured apart: in
//! short rounds in which all take turns, so that a machine which changes its pace changes it for
//! all of them.

mod c;
mod contender;
mod pace;
mod rust;
mod table;
mod urcu;
mod writers;

use std::time::Duration;

use c::{Build, Loops};
use contender::{Contender, Of, Threads};
use criterion::{BenchmarkId, Criterion};
use pace::Pace;
use table::Table;

fn main() {
    urcu::preload();

    // glibc's mutex leaves its atomics out until a process has had a second thread, and the kernel has
    // no membarrier to do while it has none. Programs that have locks have threads.
    std::thread::spawn(|| {
        loop {
            std::thread::park()
        }
    });

    let pace = Pace::asked_for();
    let [inline, by_hand] = [Loops::of(Build::Inline), Loops::inlined("peers/by_hand.c")];
    let [archive, shared] = [Build::Archive, Build::Shared].map(Loops::of);
    let (urcu, without) = urcu::contenders();
    let groups = [
        ("get + put", references(inline, by_hand, [archive, shared])),
        ("lookup + put", lookups(inline, by_hand, urcu)),
        ("percpu get + put", percpu(inline, [archive, shared])),
    ];
    if pace != Pace::Quick {
        time_all(&groups);
    }
    for (operation, contenders) in &groups {
        print!("\n{}", Table::measure(operation, contenders, pace));
    }
    let writers = Loops::inlined("writers.c");
    print!("\n{}", writers::costs(writers, pace));
    print!("\n{}", writers::crossover(writers, pace));
    println!("\n{}{}", table::LEGEND, writers::LEGEND);
    if !without.is_empty() {
        let packages = without.join(", ");
        println!("No rows for {packages}: pkg-config does not find them (Debian's liburcu-dev).");
    }
    println!("C is compiled by {} -O2.", c::compiler().kind().name());
}

/// criterion's part.
fn time_all(groups: &[(&str, Vec<Contender>)]) {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(30)
        .nresamples(10_000)
        .configure_from_args();
    for (operation, contenders) in groups {
        time(&mut criterion, &format!("{operation}, one thread"), contenders, &Threads::One);
        let threads = Threads::on_each_core();
        time(&mut criterion, &format!("{operation}, each core"), contenders, &threads);
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
fn references(inline: Loops, by_hand: Loops, [archive, shared]: [Loops; 2]) -> Vec<Contender> {
    let called = |loops: Loops, name| loops.contender(name, "get_put").at_most(1.25);
    vec![
        by_hand.contender("C11 atomics by hand", "get_put"),
        inline.contender("C, inlined", "get_put").at_most(1.05),
        called(archive, "C, calling libkref.a"),
        called(shared, "C, calling libkref.so"),
        called(Loops::of(Build::SharedNoPlt), "C, calling libkref.so, -fno-plt"),
        rust::kref("Rust, Kref"),
        rust::reference("Rust, Ref"),
        rust::arc("std Arc"),
    ]
}

/// Finding the one published object, taking a reference, and giving it back.
fn lookups(inline: Loops, by_hand: Loops, urcu: Vec<Contender>) -> Vec<Contender> {
    let slot = inline.contender("kref_slot_get", "lookup_slot");
    let mut contenders = vec![
        by_hand.contender("mutex by hand", "lookup_mutex"),
        by_hand.contender("rwlock by hand", "lookup_rwlock"),
        inline.contender("kref_lookup_mutex", "lookup_mutex"),
        slot.within(0.6, Of::FirstAlone).within(0.5, Of::FirstContended),
    ];
    contenders.extend(urcu);
    contenders.push(inline.contender("percpu_ref_slot_get", "lookup_percpu_slot"));
    contenders
}

/// The same for an object that each CPU counts for itself.
fn percpu(inline: Loops, [archive, shared]: [Loops; 2]) -> Vec<Contender> {
    const INLINED: &str = "percpu_ref, inlined";
    let scales = |contender: Contender| contender.within(1.15, Of::OneThread);
    vec![
        inline.contender("kref, inlined", "get_put"),
        scales(inline.contender(INLINED, "percpu_get_put").within(0.45, Of::FirstAlone)),
        archive.contender("percpu_ref, in libkref.a", "percpu_get_put"),
        shared.contender("percpu_ref, in libkref.so", "percpu_get_put"),
        inline
            .contender("percpu_ref_slot, inlined", "lookup_percpu_slot")
            .within(1.4, Of::Alone(INLINED)),
        shared.contender("percpu_ref_slot, in libkref.so", "lookup_percpu_slot"),
        inline.contender("a kref for each thread", "get_put_of_own"),
    ]
}

//! How fast the judge is, and how much memory it takes: `cargo test --profile track -p kref-track -- --ignored
//! --nocapture speed`.

use std::time::Instant;

use wire::record::{Event, Kind};

use super::Recorder;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize =
        status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
    pages * 4096
}

/// Gets and puts on so many live objects, in an order that no cache knows.
fn pairs(objects: u64, holders: &str) {
    let mut recorder = Recorder::with_rings("max_memory=4096", 8, 128 + (512 << 10));
    let before = resident();
    let (new, get, put) = (
        recorder.stack(1, &[0x101, 0x201]),
        recorder.stack(2, &[0x301, 0x201]),
        recorder.stack(3, &[0x401, 0x201]),
    );
    let place = |n: u64| 0x10_0000 + 64 * (n.wrapping_mul(2_654_435_761) % objects);
    for object in 0..objects {
        recorder.created(0x10_0000 + 64 * object, new, "object");
    }
    while recorder.judge.work() > 0 {}
    let took = resident() - before;
    println!("{objects} objects: {:.1} bytes each", took as f64 / objects as f64);
    let (mut events, mut spent) = (0_u64, std::time::Duration::ZERO);
    for round in 0..400_u64 {
        for n in 0..2000_u64 {
            recorder.got(place(round * 2000 + n), get, holders);
            recorder.put(place(round * 2000 + n), put, holders);
            events += 2;
        }
        let begun = Instant::now();
        while recorder.judge.work() > 0 {}
        spent += begun.elapsed();
    }
    println!(
        "{objects} objects, holder {holders:?}: {:.1} million events a second",
        events as f64 / spent.as_secs_f64() / 1e6
    );
    let before = resident();
    for object in 0..objects {
        recorder.got(0x10_0000 + 64 * object, get, holders);
    }
    while recorder.judge.work() > 0 {}
    let took = resident() - before;
    println!("{objects} objects: {:.1} bytes a further reference", took as f64 / objects as f64);
    let process = recorder.judge.processes.get(1).expect("a process");
    assert_eq!(process.table.created, objects);
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    pairs(1, "");
    pairs(1, "cache");
    pairs(100_000, "");
    pairs(1_000_000, "");
}

/// The rings are full of events of one kind: reading and merging alone.
#[test]
#[ignore = "a measurement"]
fn reading() {
    let mut recorder = Recorder::with_rings("", 8, 128 + (512 << 10));
    let (mut events, mut spent) = (0_u64, std::time::Duration::ZERO);
    for _ in 0..400 {
        for _ in 0..4000 {
            let sequence = recorder.number();
            recorder.event(Kind::Done, Event { sequence, ..Event::default() }, "");
            events += 1;
        }
        let begun = Instant::now();
        while recorder.judge.work() > 0 {}
        spent += begun.elapsed();
    }
    println!("reading: {:.1} million events a second", events as f64 / spent.as_secs_f64() / 1e6);
}

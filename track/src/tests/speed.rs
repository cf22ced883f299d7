//! How fast the judge is, and how much memory it takes: `cargo test --profile track -p kref-track -- --ignored
//! --nocapture speed`.

use std::time::Duration;

use wire::record::{Event, Kind};

use super::Recorder;
use crate::session::RING_BYTES;

/// The processor time of this thread: others may use the machine at the same time.
fn time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize =
        status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
    pages * 4096
}

/// Gets and puts on a number of live objects, in an order that no cache knows.
fn pairs(objects: u64, holders: &str) {
    let mut recorder = Recorder::with_rings("max_memory=4096", 8, RING_BYTES);
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
    let (mut events, mut spent) = (0_u64, Duration::ZERO);
    for round in 0..400_u64 {
        for n in 0..2000_u64 {
            recorder.got(place(round * 2000 + n), get, holders);
            recorder.put(place(round * 2000 + n), put, holders);
            events += 2;
        }
        let begun = time();
        while recorder.judge.work() > 0 {}
        spent += time() - begun;
    }
    println!(
        "{objects} objects, holder {holders:?}: {:.1} million events a second",
        events as f64 / spent.as_secs_f64() / 1e6
    );
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

/// In a process of its own: memory that another test gave back would not count.
#[test]
#[ignore = "a measurement"]
fn memory() {
    const OBJECTS: u64 = 1_000_000;
    // SAFETY: as the judge does it.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20) };
    let mut recorder = Recorder::with_rings("max_memory=4096", 1, 1 << 16);
    let new = recorder.stack(1, &[0x101, 0x201]);
    let gets = [2, 3].map(|number| recorder.stack(number, &[0x101 * u64::from(number), 0x201]));
    recorder.created(0x1000, new, "object");
    recorder.told();
    let mut before = resident();
    let mut said = |what: &str| {
        let each = (resident() - before) as f64 / OBJECTS as f64;
        println!("{each:.1} bytes {what}");
        before = resident();
    };
    for object in 0..OBJECTS {
        recorder.created(0x10_0000 + 64 * object, new, "object");
    }
    recorder.told();
    said("an object");
    for get in gets {
        for object in 0..OBJECTS {
            recorder.got(0x10_0000 + 64 * object, get, "");
        }
        recorder.told();
        said("a reference");
    }
}

/// The rings are full of events of one kind: reading and merging alone.
#[test]
#[ignore = "a measurement"]
fn reading() {
    let mut recorder = Recorder::with_rings("", 8, RING_BYTES);
    let (mut events, mut spent) = (0_u64, Duration::ZERO);
    for _ in 0..400 {
        for _ in 0..4000 {
            let sequence = recorder.number();
            recorder.event(Kind::Done, Event { sequence, ..Event::default() }, "");
            events += 1;
        }
        let begun = time();
        while recorder.judge.work() > 0 {}
        spent += time() - begun;
    }
    println!("reading: {:.1} million events a second", events as f64 / spent.as_secs_f64() / 1e6);
}

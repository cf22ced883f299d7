//! A program may write anything into the memory that it shares with the judge.

use std::sync::atomic::Ordering::Relaxed;

use wire::record::{Event, Kind, MOST_WORDS};
use wire::ring::{Taken, Writers};

use super::{Recorder, contains};
use crate::report::End;

/// A sequence of numbers that is the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11 ^ self.0 << 31
    }

    /// Numbers near those that mean something, and any others.
    fn word(&mut self) -> u64 {
        let word = self.next();
        match word % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => word >> 40,
            3 => (word >> 60) << 32 | word >> 60 & 3,
            4 => 0x5000 + (word >> 60) * 8,
            5 => word >> 60,
            6 => word >> 61 << 61,
            _ => word,
        }
    }
}

#[test]
fn records_of_garbage() {
    let mut random = Random(1);
    let mut recorder = Recorder::new("summary=1:object=1");
    for _ in 0..100_000 {
        let body: Vec<_> = (0..random.next() % MOST_WORDS as u64).map(|_| random.word()).collect();
        let kind = Kind::of((random.next() % 24) as u8).unwrap_or(Kind::Got);
        recorder.process = [1, 1, 2, random.next() as u16][random.next() as usize % 4];
        recorder.thread = random.next() as u32;
        if random.next().is_multiple_of(2) {
            recorder.session.head().sequence.0.store(random.word(), Relaxed);
        }
        recorder.write(kind, &body);
    }
    recorder.told();
    recorder.judge.give_up(true);
    // Another process is tracked as ever.
    let unused = (1..).find(|&number| recorder.judge.processes.get(number).is_none());
    recorder.session.head().sequence.0.store(0, Relaxed);
    recorder.begin(unused.expect("a number"), 0, 0);
    recorder.created(0x5000, 0, "session");
    contains(&recorder.held(), &["1 reference on 1 object is held", "\nsession: 1 "]);
}

/// Events that are right in their form, in an order that no program has.
#[test]
fn events_without_sense() {
    let mut random = Random(2);
    let mut recorder = Recorder::new("");
    for stack in 1..20 {
        recorder.stack(stack, &[random.word(), random.word(), 0x100 + u64::from(stack)]);
    }
    for _ in 0..100_000 {
        let kinds = [
            [Kind::Created, Kind::Got, Kind::Putting, Kind::Released, Kind::Violated],
            [Kind::Created, Kind::Got, Kind::Putting, Kind::Done, Kind::Percpu],
            [Kind::Created, Kind::Got, Kind::Freed, Kind::Moved, Kind::Written],
        ]
        .concat();
        let kind = kinds[random.next() as usize % kinds.len()];
        let object = 0x5000 + random.next() % 50 * 8;
        let name = ["", "cache", "index"][random.next() as usize % 3];
        let stack = (random.next() % 25) as u32;
        let detail = match kind {
            Kind::Moved => 0x5000 + random.next() % 50 * 8,
            _ => random.next() % 13,
        };
        let sequence = recorder.number();
        recorder.event(kind, Event { sequence, object, stack, detail, ..Event::default() }, name);
    }
    contains(&recorder.ends(End::Left(None)), &["still held"]);
}

#[test]
fn a_number_that_never_comes() {
    let mut recorder = Recorder::new("");
    recorder.created(0x5000, 0, "session");
    recorder.number();
    recorder.got(0x5000, 0, "cache");
    contains(&recorder.held(), &["1 reference on 1 object"]);
    recorder.judge.give_up(true);
    contains(&recorder.held(), &["2 references on 1 object", "1 event not recorded"]);
}

/// The writer of a record died before it was finished: what is behind the record is read all the same.
#[test]
fn an_unfinished_record() {
    let mut recorder = Recorder::new("");
    let session = std::sync::Arc::clone(&recorder.session);
    assert_ne!(session.rings()[1].take(9, 1, Writers::All, |_| true), Taken::NoRoom);
    recorder.created(0x5000, 0, "session");
    contains(&recorder.held(), &["0 references"]);
    recorder.judge.give_up(false);
    contains(&recorder.held(), &["0 references"]);
    recorder.judge.give_up(true);
    contains(&recorder.held(), &["1 reference on 1 object"]);
}

#[test]
fn an_event_whose_thread_or_process_is_unknown() {
    let mut recorder = Recorder::new("");
    recorder.process = 77;
    recorder.created(0x5000, 99, "session");
    recorder.process = 1;
    recorder.thread = u32::MAX;
    recorder.created(0x5000, u32::MAX, "session");
    contains(&recorder.held(), &["by thread 16777215:\n    (stack not recorded)"]);
}

/// Records in two rings are put into one order.
#[test]
fn two_threads() {
    let mut recorder = Recorder::new("");
    let numbers: Vec<_> = (0..4).map(|_| recorder.number()).collect();
    let event = |sequence, object| Event { sequence, object, ..Event::default() };
    recorder.thread = 1;
    recorder.event(Kind::Released, event(numbers[3], 0x5000), "");
    recorder.event(Kind::Got, event(numbers[1], 0x5000), "cache");
    recorder.thread = 2;
    recorder.event(Kind::Putting, event(numbers[2], 0x5000), "cache");
    recorder.event(Kind::Created, event(numbers[0], 0x5000), "session");
    let told = recorder.held();
    assert!(!told.contains("where no object is") && told.contains("0 references"), "{told}");
}

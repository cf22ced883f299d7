//! free(), realloc() and writes, right and wrong ones.

use wire::record::percpu::{EXIT, INIT};
use wire::record::{Event, Kind};

use super::{Recorder, contains};
use crate::report::End;

const A: u64 = 0x5000;
const B: u64 = 0x6000;

impl Recorder {
    fn memory(&mut self, kind: Kind, object: u64, stack: u32, detail: u64) {
        let sequence = self.number();
        let event = Event { sequence, object, stack, detail, ..Event::default() };
        self.event(kind, event, "");
    }
}

#[test]
fn a_free_of_what_is_released_or_unknown_is_passed_over_in_silence() {
    let mut recorder = Recorder::new("");
    for _ in 0..3 {
        recorder.created(A, 0, "object");
        recorder.put(A, 0, "");
        recorder.released(A, 0);
        recorder.memory(Kind::Freed, A, 0, 0);
    }
    recorder.memory(Kind::Freed, B, 0, 0);
    recorder.memory(Kind::Moved, B, 0, A);
    recorder.memory(Kind::Written, B, 0, B);
    recorder.percpu(B, 0, INIT);
    recorder.percpu(B, 0, EXIT);
    recorder.memory(Kind::Freed, B, 0, 0);
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

/// It is no leak at the end, and what is done to it later is told.
#[test]
fn a_free_of_what_only_its_creator_had() {
    let mut recorder = Recorder::new("");
    let (create, free) = (recorder.stack(1, &[0x101]), recorder.stack(2, &[0x201]));
    recorder.created(A, create, "object");
    recorder.memory(Kind::Freed, A, free, 0);
    contains(&recorder.told(), &["note: free() of an object without a put", "    +0x200\n"]);
    recorder.put(A, create, "");
    contains(&recorder.told(), &["put on a released object", "  freed by thread 1"]);
    assert_eq!(recorder.ends(End::Exit), "");
}

#[test]
fn a_free_of_what_is_shared() {
    let mut recorder = Recorder::new("");
    let get = recorder.stack(1, &[0x101]);
    recorder.created(A, 0, "object");
    recorder.got(A, get, "");
    recorder.memory(Kind::Freed, A, 0, 0);
    let words = ["free() of an object that is still referenced", "  held: 1 reference", "+0x100"];
    contains(&recorder.told(), &words);
    recorder.put(A, get, "");
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "", "what follows is no news");
}

/// Its only holder moves it, and its number stays.
#[test]
fn a_move() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "object");
    recorder.created(B, 0, "other");
    recorder.put(B, 0, "");
    recorder.released(B, 0);
    recorder.memory(Kind::Moved, A, 0, B);
    recorder.got(B, 0, "");
    assert_eq!(recorder.told(), "");
    recorder.memory(Kind::Moved, B, 0, A);
    contains(&recorder.told(), &["realloc() has moved an object", "object #1 at 0x6000"]);
    recorder.put(A, 0, "");
    recorder.put(A, 0, "");
    recorder.released(A, 0);
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

#[test]
fn a_write_after_the_release() {
    let mut recorder = Recorder::new("");
    let put = recorder.stack(1, &[0x101]);
    recorder.created(A, 0, "object");
    recorder.memory(Kind::Written, A, 0, A);
    assert_eq!(recorder.told(), "", "it is referenced");
    recorder.put(A, put, "");
    recorder.released(A, put);
    recorder.memory(Kind::Written, A, 0, A - 8);
    let told = recorder.told();
    contains(
        &told,
        &["write into the memory", "change is -8 bytes from the count", "    +0x100\n"],
    );
}

/// The release function's library was unloaded, or the pointer is wrong.
#[test]
fn a_release_function_that_is_not_there() {
    for (address, is_told) in [(0x9000, true), (0x9008, false)] {
        let mut recorder = Recorder::new("");
        recorder.created(A, 0, "object");
        recorder.put(A, 0, "");
        let sequence = recorder.number();
        let release = Event { sequence, object: A, detail: 0x9000, ..Event::default() };
        recorder.event(Kind::Released, release, "");
        let sequence = recorder.number();
        let crash = Event { sequence, object: address, count: 11, ..Event::default() };
        recorder.event(Kind::Crash, crash, "");
        let told = recorder.told();
        contains(&told, &["SIGSEGV"]);
        assert_eq!(told.contains("this is the release function of object #1"), is_told, "{told}");
    }
}

/// The put that is told may be right, and one before it wrong.
#[test]
fn the_puts_before_one_too_many() {
    let mut recorder = Recorder::new("");
    let (get, wrong) = (recorder.stack(1, &[0x101]), recorder.stack(2, &[0x201, 0x301]));
    recorder.created(A, 0, "object");
    recorder.got(A, get, "");
    recorder.put(A, get, "");
    recorder.put(A, wrong, "");
    recorder.released(A, wrong);
    recorder.put(A, 0, "");
    let told = recorder.told();
    contains(
        &told,
        &["put on a released object", "  its puts until then", "    1 put of +0x100, for"],
    );
    contains(&told, &["    1 put of +0x200, called by +0x300, for the creator's reference\n"]);
}

//! The lives of percpu_refs, right and wrong ones.

use wire::record::percpu::{EXIT, INIT, KILL, LET_GO, REVIVE};
use wire::record::{Event, Kind};

use super::{Recorder, contains};
use crate::percpu::INITIAL;
use crate::report::End;

const A: u64 = 0x5000;
const B: u64 = 0x6000;
const MAIN: u32 = 1;

impl Recorder {
    fn of_percpu() -> Self {
        Self::of_percpu_with("")
    }

    fn of_percpu_with(options: &str) -> Self {
        let mut recorder = Self::new(options);
        recorder.stack(MAIN, &[0x101]);
        recorder
    }

    fn initialises(&mut self, object: u64, stack: u32) {
        self.percpu(object, stack, INIT);
        self.got(object, stack, INITIAL);
    }

    fn kills(&mut self, object: u64, stack: u32) {
        self.percpu(object, stack, KILL);
        self.put(object, stack, INITIAL);
    }

    fn ends_it(&mut self, object: u64) {
        self.kills(object, MAIN);
        self.released(object, MAIN);
        self.percpu(object, MAIN, EXIT);
    }

    fn violates(&mut self, object: u64, kind: u64) {
        let sequence = self.number();
        let event = Event { sequence, object, detail: kind, ..Event::default() };
        self.event(Kind::Violated, event, "");
    }
}

#[test]
fn right_lives_are_passed_over_in_silence() {
    let mut recorder = Recorder::of_percpu();
    for address in (0..100_u64).map(|n| A + 64 * n % 640) {
        recorder.initialises(address, MAIN);
        recorder.got(address, MAIN, "");
        recorder.kills(address, MAIN);
        recorder.put(address, MAIN, "");
        recorder.released(address, MAIN);
        recorder.percpu(address, MAIN, REVIVE);
        recorder.got(address, MAIN, INITIAL);
        recorder.ends_it(address);
        // The second one is not killed.
        recorder.initialises(address, MAIN);
        recorder.percpu(address, MAIN, EXIT);
    }
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

/// The put of a kill gives back the initial reference, and no other one, wherever it was taken.
#[test]
fn a_lost_put() {
    let mut recorder = Recorder::of_percpu();
    let serve = recorder.stack(2, &[0x201, 0x101]);
    recorder.initialises(A, MAIN);
    recorder.got(A, MAIN, "");
    recorder.got(A, serve, "");
    recorder.put(A, serve, "");
    recorder.kills(A, MAIN);
    let told = recorder.ends(End::Exit);
    contains(
        &told,
        &["1 reference on 1 object is still held at exit", "  1 reference, on object #1"],
    );
    assert!(!told.contains("initial") && !told.contains("not known"), "{told}");
}

#[test]
fn a_missing_kill() {
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.got(A, MAIN, "");
    let told = recorder.ends(End::Exit);
    let (get, initial) =
        told.split_once("the initial one, which percpu_ref_kill() gives back").unwrap();
    contains(get, &["2 references on 1 object", "  1 reference, on object #1", "  1 reference, "]);
    contains(initial, &["    +0x100\n"]);
}

#[test]
fn a_missing_exit() {
    let mut recorder = Recorder::of_percpu();
    for address in [A, A + 64] {
        recorder.initialises(address, MAIN);
        recorder.kills(address, MAIN);
        recorder.released(address, MAIN);
    }
    let told = recorder.ends(End::Exit);
    let words =
        "2 percpu_refs were released without percpu_ref_exit(), as #1 at 0x5000, initialised by:";
    contains(&told, &[words, "    +0x100\n"]);
    assert!(!told.contains("held"), "{told}");
}

/// Its memory is used again, by a percpu_ref or by a kref.
#[test]
fn memory_of_a_percpu_ref_that_was_not_exited() {
    let words = "a percpu_ref was freed or reused without percpu_ref_exit()\n  object #1 at 0x5000";
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.initialises(A, MAIN);
    contains(&recorder.told(), &[words, "  held: 1 reference by \"the initial reference\""]);

    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.kills(A, MAIN);
    recorder.released(A, MAIN);
    recorder.created(A, MAIN, "session");
    contains(&recorder.told(), &[words]);
    recorder.put(A, MAIN, "");
    recorder.released(A, MAIN);
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

#[test]
fn late_gets_and_lives_after_the_release() {
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.ends_it(A);
    recorder.violates(A, 1);
    contains(&recorder.told(), &["get on a released object\n  object #1", "released by"]);
    recorder.initialises(B, MAIN);
    recorder.kills(B, MAIN);
    recorder.released(B, MAIN);
    recorder.got(B, MAIN, "");
    contains(&recorder.told(), &["get on a released object\n  object #2"]);
}

/// A thread waits until the count is zero, and revives the percpu_ref before the thread of the last put has told of the
/// release.
#[test]
fn a_release_that_is_told_in_the_next_life() {
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.kills(A, MAIN);
    recorder.percpu(A, MAIN, REVIVE);
    recorder.got(A, MAIN, INITIAL);
    recorder.released(A, MAIN);
    recorder.got(A, MAIN, "");
    recorder.put(A, MAIN, "");
    recorder.ends_it(A);
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

#[test]
fn violations() {
    for (kind, words) in [
        (7, "percpu_ref_kill() of a percpu_ref that was killed already"),
        (8, "percpu_ref_exit() while references are held: nothing was freed"),
        (
            9,
            "percpu_ref_resurrect(), _reinit() or _switch_to_percpu() of a percpu_ref that was not",
        ),
    ] {
        let mut recorder = Recorder::of_percpu();
        recorder.initialises(A, MAIN);
        recorder.violates(A, kind);
        contains(&recorder.told(), &[words, "  object #1 at 0x5000", "created by"]);
    }
}

/// Who killed it first is shown, also if references are held and nothing was released.
#[test]
fn a_second_kill() {
    let mut recorder = Recorder::of_percpu();
    let first = recorder.stack(2, &[0x201, 0x101]);
    recorder.initialises(A, MAIN);
    recorder.got(A, MAIN, "");
    recorder.kills(A, first);
    recorder.violates(A, 7);
    contains(&recorder.told(), &["  killed by thread 1", "    +0x200\n", "  created by"]);
}

/// Only percpu_ref_kill() gives the initial reference back.
#[test]
fn a_put_of_the_initial_reference() {
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.got(A, MAIN, "");
    recorder.put(A, MAIN, "");
    assert_eq!(recorder.told(), "");
    recorder.put(A, MAIN, "");
    recorder.released(A, MAIN);
    let words = "percpu_ref_put() of a percpu_ref that was not killed, and on which nobody holds";
    contains(&recorder.told(), &[words, "  object #1 at 0x5000", "the initial reference"]);
    recorder.kills(A, MAIN);
    assert_eq!(recorder.told(), "", "what follows is no news");
}

#[test]
fn too_many_references() {
    let told = |options| {
        let mut recorder = Recorder::of_percpu_with(options);
        recorder.initialises(A, MAIN);
        recorder.percpu(A, MAIN, LET_GO);
        let fork = recorder.forks();
        recorder.begin(2, 1, fork);
        recorder.created(B, 0, "child's");
        recorder.put(B, 0, "");
        recorder.released(B, 0);
        let child = recorder.ends(End::Exit);
        assert!(!child.contains("too many"), "the parent says it: {child}");
        recorder.process = 1;
        recorder.ends(End::Exit)
    };
    let lost = "kref-track: 1 object had too many references to be tracked any further: 4,000,000 are the tracker's \
                limit\n";
    assert_eq!(told(""), lost);
    contains(&told("summary=1"), &[lost, " tracked, 0 found"]);
    assert_eq!(told("format=json"), "");
    contains(&told("format=json:summary=1"), &["\"lost\":1", "\"references\":0"]);
    assert_eq!(told("filter=other*"), "");
}

/// A checkpoint hides those that were initialised before.
#[test]
fn a_checkpoint() {
    let mut recorder = Recorder::of_percpu();
    recorder.initialises(A, MAIN);
    recorder.kills(A, MAIN);
    recorder.released(A, MAIN);
    let sequence = recorder.number();
    recorder.event(Kind::Checkpoint, Event { sequence, ..Event::default() }, "");
    assert_eq!(recorder.told() + &recorder.ends(End::Exit), "");
}

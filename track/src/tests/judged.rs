//! Right and wrong programs, as their recorders tell of them.

use std::sync::atomic::Ordering::Relaxed;

use wire::record::{Event, Kind};

use super::{Recorder, alone, contains};
use crate::ends::Watched;
use crate::maps;
use crate::report::End;

const A: u64 = 0x5000;
const B: u64 = 0x6000;

#[test]
fn a_balanced_program_is_passed_over_in_silence() {
    let mut recorder = Recorder::new("");
    for address in (0..100_u64).map(|n| A + 64 * n) {
        recorder.created(address, 0, "object");
        recorder.got(address, 0, "cache");
        recorder.put(address, 0, "cache");
        recorder.put(address, 0, "");
        recorder.released(address, 0);
    }
    assert_eq!(recorder.ends(End::Exit), "");
}

#[test]
fn a_leak() {
    let mut recorder = Recorder::new("");
    let (create, get) = (recorder.stack(1, &[0x101, 0x201]), recorder.stack(2, &[0x301, 0x201]));
    recorder.created(A, create, "session");
    recorder.got(A, get, "cache");
    recorder.got(A, get, "index");
    recorder.put(A, create, "cache");
    recorder.put(A, create, "");
    let told = recorder.ends(End::Exit);
    contains(
        &told,
        &[
            "kref-track: 1 reference on 1 object is still held at exit\n",
            "\nsession: 1 reference on 1 object\n",
            "  1 reference of \"index\", on object #1 at 0x5000, taken 0 ms ago by thread 1:\n",
            "    +0x300\n    +0x200\n",
        ],
    );
    assert!(!told.contains("cache") && !told.contains("not known"), "{told}");
}

#[test]
fn how_a_process_ended() {
    for (end, words) in [
        (End::Left(Some(3)), "ended with status 3, without exit()"),
        (End::Left(None), "ended without exit()"),
        (End::Signal(9), "was ended by SIGKILL"),
        (End::Executed, "executed another program"),
    ] {
        let mut recorder = Recorder::new("");
        recorder.created(A, 0, "session");
        let told = recorder.ends(end);
        contains(&told, &["1 reference on 1 object is still held: process ", words]);
    }
}

#[test]
fn misuse() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "session");
    recorder.got(A, 0, "cache");
    recorder.put(A, 0, "index");
    contains(&recorder.told(), &["put by a holder that holds nothing: \"index\"", "\"cache\""]);
    recorder.created(A, 0, "session");
    contains(&recorder.told(), &["kref_init() where an object is still referenced"]);
    recorder.put(A, 0, "");
    recorder.released(A, 0);
    recorder.got(A, 0, "");
    contains(
        &recorder.told(),
        &["get on a released object", "#2 at 0x5000, session", "released by"],
    );
    recorder.put(A, 0, "");
    assert_eq!(recorder.told(), "", "it follows from the get");
    recorder.put(B, 0, "");
    contains(&recorder.told(), &["get or put where no object is"]);
}

#[test]
fn names_move_no_cursor() {
    for options in ["", "format=json"] {
        let mut recorder = Recorder::new(options);
        recorder.created(A, 0, "\x1b[2Jtype\n");
        recorder.got(A, 0, "\u{9b}31m");
        let told = recorder.held();
        contains(&told, &["x1b[2Jtype", "x0a", "xc2", "x9b31m"]);
        assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    }
}

#[test]
fn a_child_answers_for_what_it_takes() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "parents");
    recorder.created(B, 0, "parents");
    let fork = recorder.forks();
    recorder.put(B, 0, "");
    recorder.released(B, 0);
    recorder.told();
    recorder.begin(2, 1, fork);
    recorder.got(A, 0, "child");
    recorder.put(A, 0, "nobody");
    recorder.put(B, 0, "");
    recorder.released(B, 0);
    recorder.created(0x9000, 0, "childs");
    let told = recorder.ends(End::Exit);
    contains(&told, &["kref-track: 2 references on 2 objects", "\nchilds: 1 ", "of \"child\""]);
    assert!(!told.contains("released") && !told.contains("holds nothing"), "{told}");
    recorder.process = 1;
    let told = recorder.ends(End::Exit);
    contains(&told, &["kref-track: 1 reference on 1 object is", "\nparents: 1 "]);
}

/// What the parent does after the fork is not the child's, also if the child tells of itself much later.
#[test]
fn a_child_has_what_the_parent_had_at_the_fork() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "first");
    recorder.got(A, 0, "before");
    let fork = recorder.forks();
    recorder.put(A, 0, "before");
    recorder.put(A, 0, "");
    recorder.released(A, 0);
    recorder.created(A, 0, "second");
    recorder.got(A, 0, "after");
    recorder.told();
    recorder.begin(2, 1, fork);
    recorder.told();
    let child = recorder.judge.processes.get(2).expect("the child");
    let object = child.table.object(child.table.find(A).expect("the object"));
    assert_eq!(object.serial(), 1);
    let held = child.table.held(object).map(|held| held.count).sum::<u32>();
    assert_eq!(held, 2);
    recorder.put(A, 0, "before");
    recorder.put(A, 0, "");
    recorder.released(A, 0);
    recorder.put(A, 0, "");
    contains(&recorder.told(), &["put on a released object", "#1 at 0x5000, first"]);
    recorder.process = 1;
    contains(&recorder.ends(End::Exit), &["2 references on 1 object", "\nsecond: 2 "]);
}

/// A child of a bare system call: what the parent did since is not held against it.
#[test]
fn a_fork_that_nobody_told_of() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "parents");
    recorder.created(B, 0, "parents");
    recorder.put(B, 0, "");
    recorder.released(B, 0);
    recorder.begin(2, 1, 0);
    for address in [A, B, 0x9000] {
        recorder.put(address, 0, "nobody");
    }
    assert_eq!(recorder.ends(End::Exit), "");
}

/// A child that has done nothing says nothing.
#[test]
fn a_fork_for_another_program() {
    let mut recorder = Recorder::new("summary=1");
    recorder.created(A, 0, "parents");
    let fork = recorder.forks();
    recorder.put(B, 0, ""); // garbage, but the parent goes on
    recorder.told();
    assert!(!recorder.judge.has_unborn(1));
    recorder.begin(2, 1, fork);
    recorder.told();
    recorder.judge.processes.get_mut(1).expect("the parent").last_event = u64::MAX; // it goes on
    assert_eq!(recorder.ends(End::Left(Some(0))), "");
    assert!(recorder.judge.processes.get(2).is_none());
}

/// Marks begin again after 255 checkpoints, also where children are forked.
#[test]
fn generations_of_children() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "first");
    for process in 1..600 {
        let fork = recorder.forks();
        recorder.begin(process + 1, process, fork);
        recorder.created(B + 64 * u64::from(process), 0, "own");
        contains(&recorder.held(), &["1 reference on 1 object", "\nown: 1 "]);
    }
}

/// fork(), and _exit() of the parent: the child has what the parent held.
#[test]
fn a_daemon_inherits() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "config");
    recorder.created(B, 0, "socket");
    let fork = recorder.forks();
    recorder.told();
    assert!(recorder.judge.has_unborn(1), "the judge waits for the child if the parent has ended");
    recorder.begin(2, 1, fork);
    recorder.told();
    assert!(!recorder.judge.has_unborn(1));
    recorder.got(A, 0, "daemon");
    recorder.told();
    recorder.process = 1;
    assert_eq!(recorder.ends(End::Left(Some(0))), "");
    recorder.process = 2;
    recorder.put(B, 0, "");
    recorder.released(B, 0);
    let told = recorder.ends(End::Exit);
    contains(&told, &["2 references on 1 object are still held at exit", "\nconfig: 2 "]);
}

/// A child that has made its report before its parent ends: the parent answers for what it held.
#[test]
fn a_child_that_exits_first_inherits_nothing() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "config");
    let fork = recorder.forks();
    recorder.begin(2, 1, fork);
    let sequence = recorder.number();
    recorder.event(Kind::Exit, Event { sequence, ..Event::default() }, "");
    assert_eq!(recorder.told(), "");
    recorder.process = 1;
    contains(&recorder.ends(End::Left(Some(0))), &["1 reference on 1 object is still held"]);
}

#[test]
fn a_checkpoint_and_those_before() {
    let mut recorder = Recorder::new("");
    recorder.created(A, 0, "early");
    for round in 0..300_u64 {
        let sequence = recorder.number();
        recorder.event(Kind::Checkpoint, Event { sequence, ..Event::default() }, "");
        recorder.created(B + 64 * round, 0, &format!("type{round}"));
        let told = recorder.held();
        contains(&told, &["1 reference on 1 object is held, of those taken since the checkpoint"]);
        contains(&told, &[&format!("\ntype{round}: 1 ")]);
    }
}

/// What a region leaves behind counts for --exitcode, also if it is given back later.
#[test]
fn a_region_that_leaves_a_reference_behind() {
    for (is_right, found) in [(false, 1), (true, 0)] {
        let mut recorder = Recorder::new("");
        recorder.created(A, 0, "session");
        tell(&mut recorder, Kind::Begins);
        recorder.got(A, 0, "");
        if is_right {
            recorder.put(A, 0, "");
        }
        tell(&mut recorder, Kind::Ends);
        assert_eq!(recorder.told().contains("1 reference was left behind"), !is_right);
        if !is_right {
            recorder.put(A, 0, "");
        }
        recorder.put(A, 0, "");
        recorder.released(A, 0);
        assert_eq!(recorder.ends(End::Exit), "");
        let ended: Vec<_> = recorder.judge.ended.iter().map(|(_, found)| *found).collect();
        assert_eq!(ended, [found]);
    }
}

fn tell(recorder: &mut Recorder, kind: Kind) {
    let sequence = recorder.number();
    recorder.event(kind, Event { sequence, ..Event::default() }, "");
}

/// More regions within each other than are looked at: each end still belongs to its begin.
#[test]
fn regions_for_which_there_is_no_room() {
    let mut recorder = Recorder::new("");
    tell(&mut recorder, Kind::Begins);
    recorder.created(A, 0, "session");
    (0..5000).for_each(|_| tell(&mut recorder, Kind::Begins));
    (0..5000).for_each(|_| tell(&mut recorder, Kind::Ends));
    assert_eq!(recorder.told(), "", "the inner regions left nothing");
    recorder.put(A, 0, "");
    recorder.released(A, 0);
    tell(&mut recorder, Kind::Ends);
    assert_eq!(recorder.told(), "", "nor did the outer one");
}

/// The frames of this program: a recorder's addresses get their names from its file.
#[test]
fn places_in_this_program() {
    let mut recorder = Recorder::new("");
    let address = places_in_this_program as *const () as u64;
    let (start, end) = maps::of_this_program();
    recorder.module(start, end, "");
    let stack = recorder.stack(1, &[address + 2]);
    recorder.created(A, stack, "session");
    contains(&recorder.held(), &["places_in_this_program", "src/tests/judged.rs:"]);
}

#[test]
fn an_object_goes_over_its_memory() {
    let mut recorder = Recorder::new("max_memory=1");
    for object in 0..40_000_u64 {
        recorder.created(A + 64 * object, 0, "object");
    }
    let told = recorder.ends(End::Exit);
    contains(&told, &["objects not recorded: max_memory=1 was reached", "still held at exit"]);
}

/// A process that has executed a program which is not tracked keeps its rings until it ends.
#[test]
fn numbers_of_processes_that_are_not_free() {
    let mut recorder = Recorder::new("");
    recorder.told();
    let next = &recorder.session.head().processes.0;
    for (left, expected) in [(None, 2), (Some(9), 10), (Some(9999), 10)] {
        let left = left.map(|number| Watched::new(number, std::process::id(), false));
        recorder.judge.keep_numbers_free(left.as_slice());
        assert_eq!(next.load(Relaxed), expected);
    }
}

#[test]
fn objects_that_are_too_many_to_search_for() {
    alone("tests::judged::so_many_objects_of_this_process");
}

/// There are more than the judge searches for: the program does not wait so long.
#[test]
#[ignore = "other tests allocate meanwhile: objects_that_are_too_many_to_search_for runs it alone"]
fn so_many_objects_of_this_process() {
    let mut recorder = Recorder::new("");
    let counts = vec![0_u32; (1 << 18) + 1];
    let held = |recorder: &mut Recorder, counts: &[u32]| {
        for count in counts {
            recorder.created(&raw const *count as u64, 0, "object");
        }
        recorder.held().contains("MB of the program's memory were searched")
    };
    assert!(!held(&mut recorder, &counts[..1]));
    assert!(held(&mut recorder, &counts[1..]));
}

//! Which objects' gets and puts are kept, and for how long.

use wire::record::{Event, Kind};

use super::{Recorder, contains};

const A: u64 = 0x5000;

fn kept(recorder: &mut Recorder) -> u32 {
    assert_eq!(recorder.told(), "");
    let process = recorder.judge.processes.get(recorder.process).expect("a process");
    process.table.kept(1)
}

fn checkpoint(recorder: &mut Recorder) {
    let sequence = recorder.number();
    recorder.event(Kind::Checkpoint, Event { sequence, ..Event::default() }, "");
}

/// However an object ends, its history makes room for another's.
#[test]
fn the_history_of_an_object_that_is_gone_is_not_counted() {
    let mut recorder = Recorder::new("");
    let create = recorder.stack(1, &[0x101, 0x201]);
    for object in 0..8 {
        recorder.created(A + 64 * object, create, "");
    }
    assert_eq!(kept(&mut recorder), 8);
    recorder.put(A, create, "");
    recorder.released(A, create);
    assert_eq!(kept(&mut recorder), 7, "released");
    recorder.created(A + 64, create, "");
    recorder.told(); // that it was initialised again
    assert_eq!(kept(&mut recorder), 7, "one in the place of another");
    let mut memory = |kind, object: u64, detail| {
        let sequence = recorder.number();
        let event = Event { sequence, object, detail, count: 1, ..Event::default() };
        recorder.event(kind, event, "");
        recorder.told(); // that an object was freed
        kept(&mut recorder)
    };
    assert_eq!(memory(Kind::Freed, A + 2 * 64, 0), 6, "freed");
    assert_eq!(memory(Kind::Moved, A + 3 * 64, A + 4 * 64), 5, "moved to where another was");
}

#[test]
fn a_child_has_histories_of_its_own() {
    let mut recorder = Recorder::new("");
    let create = recorder.stack(1, &[0x101, 0x201]);
    recorder.created(A, create, "");
    recorder.created(A + 64, create, "");
    recorder.told();
    let fork = recorder.forks();
    recorder.begin(2, 1, fork);
    recorder.put(A, create, "");
    recorder.released(A, create);
    assert_eq!(kept(&mut recorder), 1);
    recorder.process = 1;
    assert_eq!(kept(&mut recorder), 2);
}

/// After 254 checkpoints the marks are those of long ago: a history of then is not one of now.
#[test]
fn a_history_that_is_older_than_a_report() {
    let mut recorder = Recorder::new("");
    let (create, get) = (recorder.stack(1, &[0x101, 0x201]), recorder.stack(2, &[0x301, 0x201]));
    checkpoint(&mut recorder);
    recorder.created(A, create, "session");
    (0..254).for_each(|_| checkpoint(&mut recorder));
    recorder.got(A, get, "late");
    let held = recorder.held();
    contains(&held, &["1 reference on 1 object is held, of those taken since the checkpoint"]);
}

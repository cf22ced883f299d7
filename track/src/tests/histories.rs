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

/// How many gets and puts of an object are kept, if in each of many rounds one function takes references at these stacks,
/// and gives one back.
fn steps_after(rounds: usize, gets: &[u32]) -> usize {
    let mut recorder = Recorder::new("");
    let create = recorder.stack(1, &[0x101, 0x901]);
    let put = recorder.stack(2, &[0x201, 0x801]);
    for &get in gets {
        recorder.stack(get, &[0x100 * u64::from(get) + 1, 0x801]);
    }
    recorder.created(A, create, "");
    for _ in 0..rounds {
        gets.iter().for_each(|&get| recorder.got(A, get, ""));
        recorder.put(A, put, "");
    }
    steps(&mut recorder)
}

fn steps(recorder: &mut Recorder) -> usize {
    assert_eq!(recorder.told(), "");
    let table = &recorder.judge.processes.get(recorder.process).expect("a process").table;
    let object = table.object(table.find(A).expect("the object"));
    table.steps(object).count()
}

/// Another thread takes a reference between the two gets.
#[test]
fn a_put_that_may_give_back_either_of_two_gets_of_its_thread() {
    let mut recorder = Recorder::new("");
    let [create, find, keep, other, put] =
        [1, 2, 3, 4, 5].map(|n| recorder.stack(n, &[u64::from(n) << 8 | 1, 0x801]));
    recorder.created(A, create, "");
    for _ in 0..40 {
        recorder.got(A, find, "");
        recorder.thread = 2;
        recorder.got(A, other, "");
        recorder.thread = 1;
        recorder.got(A, keep, "");
        recorder.put(A, put, "");
    }
    assert_eq!(steps(&mut recorder), 161);
}

/// `get(find); get(keep); put(find)`: the put follows one get, and gives back the other.
#[test]
fn a_put_that_may_give_back_either_of_two_gets_is_no_plain_pair() {
    assert_eq!(
        steps_after(75, &[3]),
        97,
        "a get and a put: from the 97th step on they are taken away"
    );
    assert_eq!(steps_after(50, &[3, 4]), 151, "two gets and a put");
}

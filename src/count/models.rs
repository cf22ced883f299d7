//! Loom models of tracked counts: the inlined halves are the atomics of `inc` and `lower`, and any
//! thread may come in between one of those and the cold path.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::thread;

use super::tracked::{is_tracked, of, references};
use super::{Count, Get, SATURATED};
use crate::sync::Ordering::Relaxed;
use crate::tracker::{Event, events};

/// What the count protects. It is never freed: being released is a write to what its holders read.
struct Object {
    refs: Count,
    payload: UnsafeCell<bool>,
    /// For the slot's model: published, under what stands for a sequence that no fence splits.
    published: Mutex<bool>,
}

// SAFETY: loom finds the cell's accesses that no count orders, and fails the model.
unsafe impl Sync for Object {}

impl Object {
    fn read(&self) {
        // SAFETY: loom checks that nobody is writing the payload.
        self.payload.with(|payload| unsafe { _ = *payload });
    }

    fn write(&self) {
        // SAFETY: loom checks that nobody else is in the payload.
        self.payload.with_mut(|payload| unsafe { *payload = true });
    }

    /// Uses the object, gives a reference back, and releases it if that was the last.
    fn put(&self, give_back: fn(&Count) -> bool) -> bool {
        self.read();
        let last = give_back(&self.refs);
        if last {
            self.write();
        }
        last
    }

    fn raw(&self) -> i32 {
        self.refs.refs.load(Relaxed)
    }
}

fn dec_and_test(count: &Count) -> bool {
    count.dec_and_test()
}

/// From `n` references: `there` and `here` at once, and one of them is the last, or the other.
fn released_once(n: i32, there: fn(&Object) -> bool, here: fn(&Object) -> bool) {
    released_once_within(None, n, there, here);
}

/// With so many preemptions at most: the cold path's loops make too many runs of more.
const SOME: Option<usize> = Some(3);

fn released_once_within(
    preemptions: Option<usize>,
    n: i32,
    there: fn(&Object) -> bool,
    here: fn(&Object) -> bool,
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let _ = events();
        let refs = Count::new(of(n));
        let payload = UnsafeCell::new(false);
        let object = Arc::new(Object { refs, payload, published: Mutex::new(true) });
        let theirs = Arc::clone(&object);
        let other = thread::spawn(move || there(&theirs));
        let here = here(&object);
        assert_ne!(here, other.join().unwrap(), "released once");
        assert_eq!(object.raw(), 0);
        check_events(n, &events());
    });
}

/// Every reference was told to be given back before the release, and nothing after it but that a put
/// is done, whose turn was earlier, or that a get begins, which comes to nothing.
fn check_events(n: i32, events: &[Event]) {
    let end = events.iter().position(|&event| event == Event::Released).expect("told");
    let (before, after) = events.split_at(end);
    let harmless = |event: &Event| matches!(event, Event::Done | Event::Getting);
    assert!(after.iter().skip(1).all(harmless), "told later: {events:?}");
    let count = |kind: fn(&&Event) -> bool| before.iter().filter(kind).count() as i32;
    let got = count(|event| matches!(event, Event::Got(_)));
    let put = count(|event| matches!(event, Event::Putting(_)));
    assert_eq!(n + got, put, "told too little: {events:?}");
}

#[test]
fn put_against_put() {
    released_once(2, |object| object.put(dec_and_test), |object| object.put(dec_and_test));
}

#[test]
fn put_against_get_and_puts() {
    released_once_within(
        SOME,
        2,
        |object| object.put(dec_and_test),
        |object| {
            object.refs.inc();
            object.put(dec_and_test) || object.put(dec_and_test)
        },
    );
}

#[test]
fn put_against_get_unless_zero() {
    released_once(
        1,
        |object| object.put(dec_and_test),
        |object| object.refs.inc_not_zero() && object.put(dec_and_test),
    );
}

#[test]
fn sub_and_test_against_sub_and_test() {
    released_once(
        3,
        |object| object.put(|count| count.sub_and_test(1)),
        |object| object.put(|count| count.sub_and_test(2)),
    );
}

#[test]
fn dec_not_one_against_dec_not_one() {
    fn give_back(count: &Count) -> bool {
        !count.dec_not_one() && count.dec_and_test()
    }
    released_once(2, |object| object.put(give_back), |object| object.put(give_back));
}

#[test]
fn dec_if_one_against_sub_and_test() {
    released_once(
        2,
        |object| object.put(|count| count.dec_if_one() || count.sub_and_test(1)),
        |object| object.put(|count| count.sub_and_test(1)),
    );
}

/// A count of zero shows what the last holder did, to whoever fences after reading it.
#[test]
fn dec_if_one_against_a_reader_of_zero() {
    loom::model(|| {
        let payload = UnsafeCell::new(false);
        let (refs, published) = (Count::new(of(1)), Mutex::new(true));
        let object = Arc::new(Object { refs, payload, published });
        let theirs = Arc::clone(&object);
        let holder = thread::spawn(move || {
            theirs.write();
            assert!(theirs.refs.dec_if_one());
        });
        if object.refs.read() == 0 {
            loom::sync::atomic::fence(crate::sync::Ordering::Acquire);
            object.read();
        }
        holder.join().unwrap();
    });
}

/// Whoever finds to be the only other holder knows that the first is done: the get acquires it.
#[test]
fn inc_not_zero_acquire_against_a_put_that_is_not_the_last() {
    loom::model(|| {
        let payload = UnsafeCell::new(false);
        let (refs, published) = (Count::new(of(2)), Mutex::new(true));
        let object = Arc::new(Object { refs, payload, published });
        let theirs = Arc::clone(&object);
        let first = thread::spawn(move || {
            theirs.write();
            assert!(!theirs.refs.dec_and_test());
        });
        if object.refs.read() == 1 {
            assert!(object.refs.inc_not_zero_acquire());
            object.read();
        }
        first.join().unwrap();
    });
}

/// A slot's reader has raised the count, and nothing else keeps the object, when the slot's reference
/// is put.
#[test]
fn put_against_a_reader_of_a_slot() {
    released_once_within(
        SOME,
        1,
        |object| {
            *object.published.lock().unwrap() = false;
            object.put(dec_and_test)
        },
        |object| {
            let published = object.published.lock().unwrap();
            if !*published {
                return false;
            }
            let old = object.refs.raise().expect_err("tracked");
            drop(published);
            let got = object.refs.try_inc_found(old, object);
            assert!(matches!(got, Get::Done), "gone under the reader's feet");
            object.put(dec_and_test)
        },
    );
}

/// A get and a put on an object that is dying: whatever comes of it, it is released once at most, and
/// what is left is dead or saturated and never alive.
#[test]
fn put_against_a_put_of_nothing() {
    loom::model(|| {
        let _ = events();
        let object = Arc::new(Count::new(of(1)));
        let theirs = Arc::clone(&object);
        let wrong = thread::spawn(move || theirs.dec_and_test());
        let last = object.dec_and_test();
        assert!(!(last && wrong.join().unwrap()), "released twice");
        assert!(events().contains(&Event::Violated));
        let left = object.refs.load(Relaxed);
        assert!(left <= 0 && !is_tracked(left), "alive at {left:#x}");
    });
}

/// At the most that a tracked count holds, two gets and a put in any order saturate.
#[test]
fn gets_and_a_put_at_the_largest_count() {
    loom::model(|| {
        let count = Arc::new(Count::new(of(4_000_000)));
        let theirs = Arc::clone(&count);
        let gets = thread::spawn(move || {
            theirs.inc();
            assert!(theirs.inc_not_zero());
        });
        assert!(!count.dec_and_test());
        gets.join().unwrap();
        assert_eq!(count.read(), SATURATED, "not saturated");
    });
}

/// The count that a tracker is told is right as long as fewer than 32 threads are on their way.
#[test]
fn a_count_is_told_rightly_by_rounding() {
    for n in [1, 2, 3, 1000, 4_000_000] {
        for on_the_way in -31..32 {
            let value = of(n) + on_the_way;
            assert!(is_tracked(value) && references(value) == n, "{n} with {on_the_way}");
        }
    }
    assert!(!is_tracked(of(0)) && is_tracked(of(0) + 1) && references(of(0) + 1) == 1);
}

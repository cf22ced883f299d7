//! Loom models of tracked counts. Each get and put has two steps, `raise` or `lower` and the cold path.
//! Between the two steps other threads may run.

use std::sync::Arc;

use loom::thread;

use super::number_line::{Zone, zone};
use super::tracked::{is_in_zone, of, references};
use super::{Count, SATURATED};
use crate::kind::ViolationKind::{GetOnZero, Saturated};
use crate::models::{Object, check_calls};
use crate::sys::sync::{AtomicI32, Ordering::Relaxed};
use crate::tracker::{Event, events, set_getting};

/// Reads the object, gives a reference back, and releases the object if the reference was the last.
fn put(object: &Object<Count>, give_back: fn(&Count) -> bool) -> bool {
    object.read();
    let last = give_back(&object.refs);
    if last {
        object.release();
    }
    last
}

/// A tracked count of `n` references.
fn tracked(n: i32) -> Count {
    Count { stored: AtomicI32::new(of(n)) }
}

fn dec_and_test(count: &Count) -> bool {
    count.dec_and_test()
}

/// Runs `there` and `here` in two threads, on an object with `n` references. Exactly one of the two gives
/// the last reference back.
fn released_once(n: i32, there: fn(&Object<Count>) -> bool, here: fn(&Object<Count>) -> bool) {
    released_once_within(None, n, there, here);
}

/// A limit of preemptions in one run. Without a limit the loops of the cold path have too many
/// interleavings.
const SOME: Option<usize> = Some(3);

fn released_once_within(
    preemptions: Option<usize>,
    n: i32,
    there: fn(&Object<Count>) -> bool,
    here: fn(&Object<Count>) -> bool,
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let _ = events();
        let object = Arc::new(Object::new(tracked(n)));
        let theirs = Arc::clone(&object);
        let other = thread::spawn(move || there(&theirs));
        let here = here(&object);
        assert_ne!(here, other.join().unwrap(), "released once");
        assert_eq!(zone(object.refs.stored.load(Relaxed)), Zone::Dead);
        check_calls(n);
    });
}

#[test]
fn put_against_put() {
    released_once(2, |object| put(object, dec_and_test), |object| put(object, dec_and_test));
}

#[test]
fn put_against_get_and_puts() {
    released_once_within(
        SOME,
        2,
        |object| put(object, dec_and_test),
        |object| {
            object.refs.inc();
            put(object, dec_and_test) || put(object, dec_and_test)
        },
    );
}

/// Without a call before a get, the get is counted in the step that takes its increment back.
#[test]
fn put_against_get_and_puts_where_no_get_is_announced() {
    set_getting(false);
    put_against_get_and_puts();
    set_getting(true);
}

#[test]
fn put_against_get_unless_zero() {
    released_once(
        1,
        |object| put(object, dec_and_test),
        |object| object.refs.inc_not_zero() && put(object, dec_and_test),
    );
}

#[test]
fn sub_and_test_against_sub_and_test() {
    released_once(
        3,
        |object| put(object, |count| count.sub_and_test(1)),
        |object| put(object, |count| count.sub_and_test(2)),
    );
}

#[test]
fn dec_not_one_against_dec_not_one() {
    fn give_back(count: &Count) -> bool {
        !count.dec_not_one() && count.dec_and_test()
    }
    released_once(2, |object| put(object, give_back), |object| put(object, give_back));
}

#[test]
fn dec_if_one_against_sub_and_test() {
    released_once(
        2,
        |object| put(object, |count| count.dec_if_one() || count.sub_and_test(1)),
        |object| put(object, |count| count.sub_and_test(1)),
    );
}

/// A thread that reads zero and then makes an acquire fence sees what the last holder did.
#[test]
fn dec_if_one_against_a_reader_of_zero() {
    loom::model(|| {
        let object = Arc::new(Object::new(tracked(1)));
        let theirs = Arc::clone(&object);
        let holder = thread::spawn(move || {
            theirs.write();
            assert!(theirs.refs.dec_if_one());
        });
        if object.refs.read() == 0 {
            loom::sync::atomic::fence(crate::sys::sync::Ordering::Acquire);
            object.read();
        }
        holder.join().unwrap();
    });
}

/// A holder finds that the other reference was given back. After an acquiring get the holder sees what
/// the other holder did.
#[test]
fn inc_not_zero_acquire_against_a_put_that_is_not_the_last() {
    loom::model(|| {
        let object = Arc::new(Object::new(tracked(2)));
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

/// Two puts of one reference. The object is released at most once. Afterwards the count is dead or
/// saturated, never alive.
#[test]
fn put_against_a_put_of_nothing() {
    loom::model(|| {
        let _ = events();
        let object = Arc::new(tracked(1));
        let theirs = Arc::clone(&object);
        let wrong = thread::spawn(move || theirs.dec_and_test());
        let last = object.dec_and_test();
        assert!(!(last && wrong.join().unwrap()), "released twice");
        assert!(events().contains(&Event::Violated));
        let left = object.stored.load(Relaxed);
        assert!(matches!(zone(left), Zone::Dead | Zone::Saturated), "alive at {left:#x}");
    });
}

/// A count that is not tracked, with two references and three puts. The object is released at most once.
#[test]
fn a_put_too_many_of_an_untracked_count() {
    loom::model(|| {
        let _ = events();
        let count = Arc::new(Count::new(2));
        let others = [(); 2].map(|()| {
            let theirs = Arc::clone(&count);
            thread::spawn(move || theirs.dec_and_test())
        });
        let here = usize::from(count.dec_and_test());
        let there: usize = others.into_iter().map(|other| usize::from(other.join().unwrap())).sum();
        assert!(here + there <= 1, "released twice");
        assert!(events().contains(&Event::Violated));
        let left = count.stored.load(Relaxed);
        assert!(matches!(zone(left), Zone::Dead | Zone::Saturated), "alive at {left:#x}");
    });
}

/// Two gets on a dead count. The first makes it look alive, until the cold path repairs it, so the second
/// may succeed. None is an overflow.
#[test]
fn get_against_get_on_a_dead_count() {
    loom::model(|| {
        let count = Arc::new(Count::new(0));
        let theirs = Arc::clone(&count);
        let other = thread::spawn(move || theirs.try_inc());
        for got in [count.try_inc(), other.join().unwrap()] {
            let is_known = matches!(got, Ok(()) | Err(GetOnZero | Saturated));
            assert!(is_known, "{got:?}");
        }
    });
}

/// A value at the end of the zone is no tracked count.
#[test]
fn the_zone_ends() {
    assert!(is_in_zone(0x2fff_ffff) && !is_in_zone(0x3000_0000));
}

/// A full tracked count: two gets and a put in any order. The tracker is told once that the count is let go, and of no
/// violation.
#[test]
fn gets_and_a_put_at_the_largest_count() {
    loom::model(|| {
        let count = Arc::new(tracked(4_000_000));
        let theirs = Arc::clone(&count);
        let gets = thread::spawn(move || {
            theirs.inc();
            assert!(theirs.inc_not_zero());
        });
        assert!(!count.dec_and_test());
        gets.join().unwrap();
        assert_eq!(count.read(), SATURATED, "not saturated");
        let told = events();
        assert_eq!(told.iter().filter(|&&event| event == Event::LetGo).count(), 1, "{told:?}");
        assert!(!told.contains(&Event::Violated), "{told:?}");
    });
}

/// The tracker receives the right number as long as fewer than 32 threads are in flight.
#[test]
fn rounding_recovers_the_number() {
    for n in [1, 2, 3, 1000, 4_000_000] {
        for in_flight in -31..32 {
            let value = of(n) + in_flight;
            assert!(is_in_zone(value) && references(value) == n, "{n} with {in_flight}");
        }
    }
    assert!(!is_in_zone(of(0)) && is_in_zone(of(0) + 1) && references(of(0) + 1) == 1);
}

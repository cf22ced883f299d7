//! Loom models of a pool with a tracker: which gets and puts the tracker learns of.

use loom::sync::atomic::AtomicBool;

use super::*;
use crate::tracker::{self, Event, events};

/// Checks what the tracker learned: so many gets, the end of so many objects, and the puts of both.
fn told(gets: usize, objects: usize) {
    let events = events();
    let count = |kind: fn(&&Event) -> bool| events.iter().filter(kind).count();
    let got = count(|event| matches!(event, Event::Got(_)));
    let put = count(|event| matches!(event, Event::Putting(_)));
    let ends = count(|event| matches!(event, Event::Released));
    let expected = (gets, gets + objects, objects);
    assert_eq!((got, put, ends), expected, "gets, puts and ends that were told: {events:?}");
    assert!(!events.contains(&Event::Violated), "a count was misused");
}

/// Runs a model in which each new object is tracked.
fn model_with_tracker(model: fn()) {
    tracker::track(true);
    model_within_limits(move || {
        let _ = events();
        model();
    });
    tracker::track(false);
}

/// The tracker learns of the lookups that found their object, and of no other get. Each object's puts are one
/// more than its gets: the creator's.
#[test]
fn a_stale_lookup_is_not_told() {
    model_with_tracker(|| {
        let shared = Shared::new();
        let (first, handle) = shared.create(1);
        let reader = shared.reader(CPU_0, handle, 1);
        put(shared.0, first);
        let (second, next) = shared.create(2);
        let found = usize::from(reader.join().unwrap());
        assert!(look(shared.0, next, 2), "alive, and its handle does not find it");
        put(shared.0, second);
        told(found + 1, 2);
    });
}

/// A reference that a lookup leaves to the pool is told when it is left, and when it is given back.
#[test]
fn a_parked_reference_is_told() {
    model_with_tracker(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let (first, handle) = shared.create(1);
        let stale = shared.reader(CPU_0, handle, 1);
        put(pool, first);
        let (second, _) = create(pool, 2);
        put(pool, second);
        let found = usize::from(stale.join().unwrap());
        let parked = pool.count();
        pool.drain();
        assert_eq!(pool.count(), 0, "parked and never released");
        told(found + parked, 2);
    });
}

/// A thread knows the handle, and sees the published count. Then it sees, too, that a tracker was set. Otherwise it
/// would take the count for a saturated one.
#[test]
fn a_lookup_sees_that_a_tracker_was_set() {
    model_with_tracker(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let flag: &AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        tracker::set_flag(Some(flag));
        let kref = alloc(pool);
        // SAFETY: allocated above.
        let handle = unsafe { pool.handle(kref) };
        let reader = shared.reader(CPU_0, handle, 1);
        write(pool, kref, 1);
        flag.store(true, Relaxed);
        publish(pool, kref);
        reader.join().unwrap();
        put(pool, kref);
        tracker::set_flag(None);
    });
}

//! The counter alone.

use std::sync::Arc;

use kref::{Count, MAX, SATURATED};
use loom::sync::atomic::{Ordering::Acquire, fence};

use crate::object::{Object, race};

/// Gives references back, and returns whether no reference is left.
type GiveBack = fn(&Object<Count>) -> bool;

/// Two holders own `n` references together. Both use the object. The last put releases the object.
fn releases_once(n: i32, there: GiveBack, here: GiveBack) {
    let use_and_give_back = |object: &Object<Count>, give_back: GiveBack| {
        object.read();
        let last = give_back(object);
        if last {
            object.release();
        }
        last
    };
    loom::model(move || {
        let object = Arc::new(Object::new(Count::new(n)));
        let (there, here) = race(
            &object,
            move |object| use_and_give_back(object, there),
            move |object| use_and_give_back(object, here),
        );
        assert_ne!(there, here);
        assert_eq!((object.refs.read(), object.releases()), (0, 1));
    });
}

fn dec_and_test(object: &Object<Count>) -> bool {
    object.refs.dec_and_test()
}

#[test]
fn sub_and_test_against_dec_and_test() {
    releases_once(3, |object| object.refs.sub_and_test(2), dec_and_test);
}

#[test]
fn dec_if_one_against_dec_and_test() {
    releases_once(2, |object| object.refs.dec_if_one() || dec_and_test(object), dec_and_test);
}

#[test]
fn dec_not_one_against_dec_and_test() {
    releases_once(2, |object| !object.refs.dec_not_one() && dec_and_test(object), dec_and_test);
}

#[test]
fn dec_and_lock_against_dec_and_lock() {
    fn dec_and_lock(object: &Object<Count>) -> bool {
        let last = object.refs.dec_and_lock(&object.lock);
        if last {
            object.unlock();
        }
        last
    }
    releases_once(2, dec_and_lock, dec_and_lock);
}

/// A thread that reads a count of zero and then fences sees the writes of the last holder.
#[test]
fn dec_if_one_against_a_reader_of_zero() {
    loom::model(|| {
        let object = Arc::new(Object::new(Count::new(1)));
        let last_holder = |object: &Object<Count>| {
            object.write();
            assert!(object.refs.dec_if_one());
        };
        race(&object, last_holder, |object| {
            if object.refs.read() == 0 {
                fence(Acquire);
                assert!(object.read());
            }
        });
    });
}

/// The second holder reads a count of 1, so the first holder has put its reference. The acquiring get
/// shows the second holder the writes of the first.
#[test]
fn inc_not_zero_acquire_against_a_put_that_is_not_the_last() {
    loom::model(|| {
        let object = Arc::new(Object::new(Count::new(2)));
        let first_holder = |object: &Object<Count>| {
            object.write();
            assert!(!object.refs.dec_and_test());
        };
        race(&object, first_holder, |object| {
            if object.refs.read() == 1 {
                assert!(object.refs.inc_not_zero_acquire());
                assert!(object.read());
            }
        });
    });
}

/// Copy on write: a holder that finds itself the only one sees the last write of the other, and may write.
#[test]
fn is_one_against_a_put_that_is_not_the_last() {
    loom::model(|| {
        let object = Arc::new(Object::new(Count::new(2)));
        let first_holder = |object: &Object<Count>| {
            object.write();
            assert!(!object.refs.dec_and_test());
        };
        race(&object, first_holder, |object| {
            if object.refs.is_one() {
                object.write();
            }
        });
    });
}

/// Reused memory: a thread that gets a reference on the new object sees the new object's contents.
#[test]
fn inc_not_zero_acquire_against_set_release() {
    loom::model(|| {
        let object = Arc::new(Object::new(Count::new(0)));
        let maker = |object: &Object<Count>| {
            object.write();
            object.refs.set_release(1);
        };
        race(&object, maker, |object| {
            if object.refs.inc_not_zero_acquire() {
                assert!(object.read());
            }
        });
    });
}

/// Two gets and a put on a full count saturate the count in any order. Nothing is released.
#[test]
fn gets_and_a_put_on_a_full_count() {
    loom::model(|| {
        let count = Arc::new(Count::new(MAX));
        count.inc();
        let gets = |count: &Count| {
            count.inc();
            count.inc();
        };
        race(&count, gets, |count| assert!(!count.dec_and_test()));
        assert_eq!(count.read(), SATURATED, "not saturated");
        assert!(!count.dec_if_one() && !count.dec_and_test());
    });
}

/// The compare-and-exchange loops saturate a count of the largest number. Nothing is released.
#[test]
fn gets_unless_zero_and_a_put_at_the_largest_count() {
    loom::model(|| {
        let count = Arc::new(Count::new(MAX));
        let gets = |count: &Count| {
            assert!(count.inc_not_zero());
            assert!(count.inc_not_zero());
        };
        race(&count, gets, |count| assert!(!count.dec_and_test()));
        assert_eq!(count.read(), SATURATED, "not saturated");
    });
}

#[test]
fn gets_and_a_put_when_saturated() {
    loom::model(|| {
        let count = Arc::new(Count::new(SATURATED));
        let gets = |count: &Count| {
            count.inc();
            assert!(count.inc_not_zero());
        };
        race(&count, gets, |count| assert!(!count.dec_and_test()));
        assert_eq!(count.read(), SATURATED, "not saturated");
    });
}

//! The core under loom, which runs every interleaving, and lets every load return every value that
//! its ordering allows.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p kref --release --target-dir target/loom --lib --test loom
//! ```
//!
//! What the count protects is a loom cell: to touch it without an order against another thread
//! fails the model. tests/orderings.rs weakens the source and names the model that fails.
#![cfg(loom)]

#[path = "loom/object.rs"]
mod object;

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;

use kref::{Count, Kref, KrefSlot, MAX, Ref, Refcounted, SATURATED, Slot};
use kref::{PercpuHandle, PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{Ordering::Acquire, fence};

use object::{Object, race};

#[test]
fn put_against_put() {
    loom::model(|| {
        let object = Arc::new(Object::new(Kref::new()));
        object.refs.get();
        let (there, here) = race(&object, Object::use_and_put, Object::use_and_put);
        assert_ne!(there, here);
        object.assert_released_once();
    });
}

/// A get among the puts hands on what the earlier puts released.
#[test]
fn puts_against_a_get() {
    loom::model(|| {
        let object = Arc::new(Object::new(Kref::new()));
        object.refs.get();
        object.refs.get();
        let get_and_put_both = |object: &Object<Kref>| {
            object.refs.get();
            object.use_and_put() || object.use_and_put()
        };
        let (first, (second, third)) = race(&object, Object::use_and_put, |_| {
            race(&object, get_and_put_both, Object::use_and_put)
        });
        assert_eq!([first, second, third].into_iter().filter(|&last| last).count(), 1);
        object.assert_released_once();
    });
}

#[test]
fn put_against_get_unless_zero() {
    loom::model(|| {
        let object = Arc::new(Object::new(Kref::new()));
        let (there, here) = race(&object, Object::use_and_put, |object| {
            object.refs.get_unless_zero() && object.use_and_put()
        });
        assert_ne!(there, here);
        object.assert_released_once();
    });
}

/// The table holds no reference: the last put takes the object out, with no lookup in between.
#[test]
fn lookup_locked_against_put_locked() {
    loom::model(|| {
        let object = Arc::new(Object::new(Kref::new()));
        let (there, here) = race(&object, Object::put_locked, |object| {
            let Some(found) = object.lookup() else {
                assert!(!object.is_listed_under_lock(), "what is listed is alive");
                return false;
            };
            found.read();
            found.put_locked()
        });
        assert_ne!(there, here);
        assert!(!object.is_listed());
        object.assert_released_once();
    });
}

/// Between the last put and the lock an object is still listed, and no longer to be had.
#[test]
fn lookup_locked_against_a_release_that_takes_the_lock() {
    loom::model(|| {
        let object = Arc::new(Object::new(Kref::new()));
        let (there, here) = race(&object, Object::put_and_then_lock, |object| {
            object.lookup().is_some_and(|found| {
                found.read();
                found.put_and_then_lock()
            })
        });
        assert_ne!(there, here);
        assert!(!object.is_listed());
        object.assert_released_once();
    });
}

/// The reader gets the first object or the second, which is written just before it is published.
#[test]
fn slot_get_against_slot_replace() {
    struct Shared {
        slot: KrefSlot,
        first: Object<Kref>,
        second: Object<Kref>,
    }
    loom::model(|| {
        let (first, second) = (Object::new(Kref::new()), Object::new(Kref::new()));
        let shared = Arc::new(Shared { slot: KrefSlot::new(), first, second });
        shared.first.write();
        // SAFETY: the first object's only reference goes to the slot.
        unsafe { shared.slot.replace(Some(shared.first.kref())) };
        let writer = |shared: &Shared| {
            shared.second.write();
            // SAFETY: the second object's only reference goes to the slot.
            let old = unsafe { shared.slot.replace(Some(shared.second.kref())) };
            assert_eq!(old, Some(shared.first.kref()));
            shared.first.put()
        };
        let reader = |shared: &Shared| {
            // SAFETY: both are there to the end, and have a reference for the slot.
            let got = unsafe { shared.slot.get() }.expect("what is published has references");
            let got = Object::around(got);
            assert!(got.read());
            got.put()
        };
        race(&shared, writer, |_| race(&shared, reader, reader));
        shared.first.assert_released_once();
        assert_eq!((shared.second.refs.read(), shared.second.releases()), (1, 0));
    });
}

/// The same in safe Rust, and freed for good: `Track` fails the model if it is not.
#[test]
fn a_ref_from_a_slot_outlives_its_replacement() {
    struct Node {
        kref: Kref,
        freed: UnsafeCell<bool>,
        _leak: Track<()>,
    }
    // SAFETY: as for `Object`.
    unsafe impl Sync for Node {}
    // SAFETY: the kref is where OFFSET says, it is private, and `release` frees.
    unsafe impl Refcounted for Node {
        const OFFSET: usize = offset_of!(Node, kref);
        unsafe fn release(object: NonNull<Self>) {
            // SAFETY: boxed below, and the last reference is gone.
            let node = unsafe { Box::from_raw(object.as_ptr()) };
            // SAFETY: loom checks that nobody else is in the cell.
            node.freed.with_mut(|freed| unsafe { *freed = true });
        }
    }
    let read = |node: Ref<Node>| {
        // SAFETY: loom checks that nobody is freeing the node.
        assert!(!node.freed.with(|freed| unsafe { *freed }));
    };
    loom::model(move || {
        let node = Node { kref: Kref::new(), freed: UnsafeCell::new(false), _leak: Track::new(()) };
        // SAFETY: a new object, whose one reference is handed over.
        let node = unsafe { Ref::from_raw(NonNull::from(Box::leak(Box::new(node)))) };
        let slot = Arc::new(Slot::new());
        assert!(slot.replace(Some(node)).is_none());
        race(
            &slot,
            move |slot| slot.get().map(|node| read(Ref::clone(&node))),
            move |slot| slot.replace(None).map(read).unwrap(),
        );
    });
}

/// Threads without rseq: the killer and a user, of whom the last releases; then the counters' end.
#[test]
fn percpu_kill_against_a_user() {
    #[repr(C)]
    struct Hot {
        percpu: PercpuRef,
        payload: UnsafeCell<bool>,
        _leak: Track<()>,
    }
    // SAFETY: as for `Object`.
    unsafe impl Sync for Hot {}
    // SAFETY: the reference is where OFFSET says, it is private, and `release` frees.
    unsafe impl PercpuRefcounted for Hot {
        const OFFSET: usize = offset_of!(Hot, percpu);
        unsafe fn release(object: NonNull<Self>) {
            // SAFETY: boxed below, and the last reference is gone.
            let hot = unsafe { Box::from_raw(object.as_ptr()) };
            // SAFETY: loom checks that nobody else is in the payload.
            hot.payload.with_mut(|payload| unsafe { *payload = true });
        }
    }
    loom::model(|| {
        let percpu = PercpuRef::of::<Hot>().unwrap();
        let hot = Hot { percpu, payload: UnsafeCell::new(false), _leak: Track::new(()) };
        // SAFETY: a new object, whose initial reference is handed over.
        let owner = unsafe { PercpuOwner::from_raw(NonNull::from(Box::leak(Box::new(hot)))) };
        let slot = Arc::new(PercpuSlot::new());
        assert!(slot.replace(Some(owner)).is_none());
        race(
            &slot,
            |slot| {
                let user = slot.get().map(|hot| PercpuHandle::clone(&hot));
                // SAFETY: loom checks that nobody is freeing the object.
                user.map(|hot| assert!(!hot.payload.with(|payload| unsafe { *payload })))
            },
            |slot| drop(slot.replace(None)),
        );
    });
}

/// A way to give references back that says whether they were the last.
type GiveBack = fn(&Object<Count>) -> bool;

/// Two holders with `n` references between them use the object, and the last to give back releases.
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

/// A count of zero shows what the last holder did, to whoever fences after reading it.
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

/// Whoever finds to be the only other holder knows that the first is done: the get acquires it.
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

/// Memory that is reused: whoever gets the new object's reference sees the new object.
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

/// From `n`, two gets and a put in any order saturate, and nothing is released.
fn stays_saturated(n: i32) {
    loom::model(move || {
        let count = Arc::new(Count::new(n));
        let gets = |count: &Count| {
            count.inc();
            assert!(count.inc_not_zero());
        };
        race(&count, gets, |count| assert!(!count.dec_and_test()));
        assert_eq!(count.read(), SATURATED, "not saturated");
        assert!(!count.dec_if_one() && !count.dec_and_test());
    });
}

#[test]
fn gets_and_a_put_at_the_largest_count() {
    stays_saturated(MAX);
}

#[test]
fn gets_and_a_put_when_saturated() {
    stays_saturated(SATURATED);
}

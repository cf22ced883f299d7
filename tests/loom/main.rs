//! The core under loom. loom runs every interleaving of the threads, and lets each load return every
//! value that the load's ordering allows.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p kref --release --target-dir target/loom --lib --test loom
//! ```
//!
//! The count protects a loom cell. A model fails if two threads access the cell and nothing orders the
//! accesses. tests/mutants weakens the source and names the model that must fail.
#![cfg(loom)]

mod count;
mod object;

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;

use kref::{Kref, Ref, Refcounted, Slot};
use kref::{PercpuHandle, PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
use loom::alloc::Track;
use loom::cell::UnsafeCell;

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

/// A get between the puts continues the release sequence, so the last put acquires every earlier put.
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

/// The table holds no reference. The last put removes the object under the lock.
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

/// The release function takes the lock after the last put. Until then the table still lists the object,
/// and a lookup must find the count to be zero.
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

/// A slot in safe Rust, with an object that is freed: `Track` fails the model if the object leaks.
#[test]
fn a_ref_from_a_slot_outlives_its_replacement() {
    struct Node {
        kref: Kref,
        freed: UnsafeCell<bool>,
        _leak: Track<()>,
    }
    // SAFETY: as for `Object`.
    unsafe impl Sync for Node {}
    // SAFETY: the kref is at OFFSET and private, and `release` frees the object.
    unsafe impl Refcounted for Node {
        const OFFSET: usize = offset_of!(Node, kref);
        unsafe fn release(object: NonNull<Self>) {
            // SAFETY: the model boxed the object, and no reference is left.
            let node = unsafe { Box::from_raw(object.as_ptr()) };
            // SAFETY: loom checks that no other thread accesses the cell.
            node.freed.with_mut(|freed| unsafe { *freed = true });
        }
    }
    let read = |node: Ref<Node>| {
        // SAFETY: loom checks that no other thread frees the node.
        assert!(!node.freed.with(|freed| unsafe { *freed }));
    };
    loom::model(move || {
        let node = Node { kref: Kref::new(), freed: UnsafeCell::new(false), _leak: Track::new(()) };
        // SAFETY: the only reference on a new object goes to the `Ref`.
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

/// Threads without rseq: one kills the object, the other takes a reference and puts it. The last put
/// releases the object and frees its counters.
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
    // SAFETY: the percpu_ref is at OFFSET and private, and `release` frees the object.
    unsafe impl PercpuRefcounted for Hot {
        const OFFSET: usize = offset_of!(Hot, percpu);
        unsafe fn release(object: NonNull<Self>) {
            // SAFETY: the model boxed the object, and no reference is left.
            let hot = unsafe { Box::from_raw(object.as_ptr()) };
            // SAFETY: loom checks that no other thread accesses the payload.
            hot.payload.with_mut(|payload| unsafe { *payload = true });
        }
    }
    loom::model(|| {
        let percpu = PercpuRef::of::<Hot>().unwrap();
        let hot = Hot { percpu, payload: UnsafeCell::new(false), _leak: Track::new(()) };
        // SAFETY: the initial reference on a new object goes to the owner.
        let owner = unsafe { PercpuOwner::from_raw(NonNull::from(Box::leak(Box::new(hot)))) };
        let slot = Arc::new(PercpuSlot::new());
        assert!(slot.replace(Some(owner)).is_none());
        race(
            &slot,
            |slot| {
                let user = slot.get().map(|hot| PercpuHandle::clone(&hot));
                // SAFETY: loom checks that no other thread frees the object.
                user.map(|hot| assert!(!hot.payload.with(|payload| unsafe { *payload })))
            },
            |slot| drop(slot.replace(None)),
        );
    });
}

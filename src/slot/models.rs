//! Loom models of a slot. A reader takes a reference in a sequence, or under the lock, while a writer
//! replaces the object and gives the last reference back.

use std::sync::Arc;

use loom::thread::JoinHandle;

use super::*;
use crate::count::Count;
use crate::models::{CPU_0, CPU_1, Cpu, NO_RSEQ, Object, spawn};
use crate::models::{check_calls, expect_a_report, model, model_within_limits};
use crate::rseq::refuse_to_fence;

struct Shared {
    slot: KrefSlot,
    first: Object<Kref>,
    second: Object<Kref>,
}

impl Shared {
    /// A slot that publishes the first object and holds its only reference.
    fn new() -> Arc<Self> {
        let (first, second) = (Object::new(Kref::new()), Object::new(Kref::new()));
        let shared = Arc::new(Self { slot: KrefSlot::new(), first, second });
        shared.first.write();
        shared.replace(Some(&shared.first));
        shared
    }

    /// Publishes `next`, and returns the old object.
    fn replace(&self, next: Option<&Object<Kref>>) -> Option<&Object<Kref>> {
        let next = next.map(|object| NonNull::from(&object.refs));
        // SAFETY: each model publishes an object once, so its only reference goes to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: all krefs of the slot are in objects of `self`.
        old.map(|kref| unsafe { Object::around(kref) })
    }

    /// Publishes `next`, and gives the slot's reference on the old object back.
    fn replace_and_put(&self, next: Option<&Object<Kref>>) {
        if let Some(old) = self.replace(next) {
            put(old);
        }
    }

    /// A thread on `cpu` that gets and puts the published object.
    fn reader(self: &Arc<Self>, cpu: Cpu) -> JoinHandle<()> {
        let shared = Arc::clone(self);
        spawn(cpu, move || shared.get_and_put())
    }

    /// Takes a reference on the published object, uses the object and gives the reference back.
    fn get_and_put(&self) {
        // SAFETY: only `replace` changes the slot.
        if let Some(kref) = unsafe { self.slot.get() } {
            // SAFETY: all krefs of the slot are in objects of `self`.
            let object = unsafe { Object::around(kref) };
            assert!(object.read(), "published before it was written");
            put(object);
        }
    }
}

fn put(object: &Object<Kref>) {
    // SAFETY: the object lives to the end of its model, and the caller owns a reference.
    unsafe { Kref::put(NonNull::from(&object.refs), |_| object.release()) };
}

/// Two readers, while the writer publishes the second object.
fn readers_against_a_writer(readers: [Cpu; 2]) {
    model(move || {
        let shared = Shared::new();
        let readers = readers.map(|cpu| shared.reader(cpu));
        shared.second.write();
        shared.replace_and_put(Some(&shared.second));
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!((shared.first.releases(), shared.second.releases()), (1, 0));
    });
}

#[test]
fn sequences_against_a_replace() {
    readers_against_a_writer([CPU_0, CPU_1]);
}

#[test]
fn a_sequence_and_a_reader_with_the_lock_against_a_replace() {
    readers_against_a_writer([CPU_0, NO_RSEQ]);
}

#[test]
fn readers_with_the_lock_against_a_replace() {
    readers_against_a_writer([NO_RSEQ, NO_RSEQ]);
}

/// Two writers replace each other's object.
#[test]
fn a_sequence_against_two_writers() {
    model(|| {
        let shared = Shared::new();
        let reader = shared.reader(CPU_0);
        let writer = {
            let shared = Arc::clone(&shared);
            spawn(NO_RSEQ, move || {
                shared.second.write();
                shared.replace_and_put(Some(&shared.second));
            })
        };
        shared.replace_and_put(None);
        reader.join().unwrap();
        writer.join().unwrap();
        shared.replace_and_put(None);
        assert_eq!((shared.first.releases(), shared.second.releases()), (1, 1));
    });
}

/// The kernel refuses to fence. The old object leaks with one reference, which nobody gives back.
#[test]
fn a_sequence_against_a_replace_that_cannot_fence() {
    model(|| {
        let shared = Shared::new();
        refuse_to_fence();
        let reader = shared.reader(CPU_0);
        shared.second.write();
        shared.replace_and_put(Some(&shared.second));
        reader.join().unwrap();
        assert_eq!(shared.first.releases(), 0, "released under a sequence");
        assert_eq!(shared.first.refs.read(), 1);
        expect_a_report();
    });
}

/// A tracked object. Each reference counts 64 in the stored value (count/tracked.rs), and the reader first adds only 1.
/// The cold path replaces this 1 by a reference, while `give_back` gives the slot's reference back.
fn a_reader_against_the_last_reference_of_a_tracked_object(
    cpu: Cpu,
    give_back: fn(&Count) -> bool,
) {
    model_within_limits(move || {
        let shared = Shared::new();
        count(&shared.first).set_tracked();
        let reader = shared.reader(cpu);
        if let Some(old) = shared.replace(None) {
            if give_back(count(old)) {
                old.release();
            }
        }
        reader.join().unwrap();
        check_calls(1);
        assert_eq!((shared.first.releases(), shared.first.refs.read()), (1, 0));
    });
}

fn count(object: &Object<Kref>) -> &Count {
    // SAFETY: a kref is a count and nothing else.
    unsafe { NonNull::from(&object.refs).cast().as_ref() }
}

#[test]
fn a_sequence_against_dec_and_test() {
    a_reader_against_the_last_reference_of_a_tracked_object(CPU_0, |count| count.dec_and_test());
}

#[test]
fn a_sequence_against_dec_not_one() {
    a_reader_against_the_last_reference_of_a_tracked_object(CPU_0, |count| {
        !count.dec_not_one() && count.dec_and_test()
    });
}

#[test]
fn a_sequence_against_dec_if_one() {
    a_reader_against_the_last_reference_of_a_tracked_object(CPU_0, |count| {
        count.dec_if_one() || count.dec_and_test()
    });
}

#[test]
fn a_reader_with_the_lock_against_dec_and_test() {
    a_reader_against_the_last_reference_of_a_tracked_object(NO_RSEQ, |count| count.dec_and_test());
}

//! Loom models of a slot for percpu references. A sequence reads the pointer and the head of the percpu
//! reference, and adds to a counter. Meanwhile a writer empties the slot, and the object is freed.

use std::sync::Arc;

use super::models::{Hot, user};
use super::*;
use crate::models::{CPU_0, CPU_1, Cpu, NO_RSEQ};
use crate::models::{expect_a_report, model, model_within_limits, spawn};
use crate::rseq::refuse_to_fence;

struct Shared {
    slot: PercpuRefSlot,
    object: Arc<Hot>,
}

impl Shared {
    /// A slot that publishes an object, and holds the object's initial reference.
    fn new() -> Arc<Self> {
        let shared = Self { slot: PercpuRefSlot::new(), object: Hot::freed() };
        // SAFETY: the initial reference goes to the slot.
        unsafe { shared.slot.replace(Some(shared.object.percpu().into())) };
        Arc::new(shared)
    }

    /// Empties the slot. The caller takes over the slot's reference.
    fn empty(&self) {
        // SAFETY: nothing is published instead.
        let old = unsafe { self.slot.replace(None) };
        assert_eq!(old, Some(self.object.percpu().into()));
    }

    /// Starts a thread that takes a reference on the published object, and gives it back.
    fn reader(self: &Arc<Self>, cpu: Cpu) -> loom::thread::JoinHandle<()> {
        let shared = Arc::clone(self);
        spawn(cpu, move || {
            // SAFETY: only `new` and `empty` change the slot.
            if unsafe { shared.slot.get() }.is_some() {
                shared.object.use_and_put();
            }
        })
    }
}

/// The slot holds the initial reference. The writer empties the slot and kills the object.
fn readers_against_a_kill(readers: [Cpu; 2]) {
    model_within_limits(move || {
        let shared = Shared::new();
        let readers = readers.map(|cpu| shared.reader(cpu));
        shared.empty();
        shared.object.kill();
        for reader in readers {
            reader.join().unwrap();
        }
        shared.object.finish(1);
    });
}

#[test]
fn sequences_against_a_kill() {
    readers_against_a_kill([CPU_0, CPU_1]);
}

#[test]
fn a_sequence_and_a_reader_with_the_lock_against_a_kill() {
    readers_against_a_kill([CPU_1, NO_RSEQ]);
}

/// The slot holds another reference than the initial one. The writer empties the slot, and another thread
/// kills the object.
#[test]
fn a_sequence_against_a_put_and_a_kill() {
    model_within_limits(|| {
        let shared = Shared::new();
        shared.object.get();
        let reader = shared.reader(CPU_0);
        let killer = user(NO_RSEQ, &shared.object, Hot::kill);
        shared.empty();
        shared.object.put();
        reader.join().unwrap();
        killer.join().unwrap();
        shared.object.finish(1);
    });
}

/// The object was killed before, so the sequence reads the head, gives up, and the reader takes the lock.
#[test]
fn a_sequence_against_the_last_put() {
    model(|| {
        let shared = Shared::new();
        shared.object.get();
        shared.object.kill();
        let reader = shared.reader(CPU_0);
        shared.empty();
        shared.object.put();
        reader.join().unwrap();
        shared.object.finish(1);
    });
}

/// As above, but the kernel refuses to fence: the object leaks.
#[test]
fn a_sequence_against_the_last_put_that_cannot_fence() {
    model(|| {
        let shared = Shared::new();
        shared.object.get();
        shared.object.kill();
        refuse_to_fence();
        let reader = shared.reader(CPU_0);
        shared.empty();
        shared.object.put();
        reader.join().unwrap();
        assert_eq!(shared.object.releases(), 0, "released under a sequence");
        expect_a_report();
    });
}

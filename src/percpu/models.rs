//! Loom models of percpu references. Threads take and give back references, in sequences and on the word,
//! while another thread changes the mode.

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Once};

use loom::sync::atomic::AtomicBool;

use super::*;
use crate::models::{CPU_0, CPU_1, Cpu, NO_RSEQ, Object, spawn};
use crate::models::{expect_a_report, model, model_within_limits};
use crate::rseq::{refuse_to_fence, run_on};

#[repr(C)]
pub(super) struct Counted {
    // Not dropped if a model fails, because a drop takes a lock.
    percpu: UnsafeCell<ManuallyDrop<PercpuRef>>,
    /// Whether the memory is freed at the release.
    is_freed: bool,
    /// Whether the release function was called, and the caller of the last put has not released yet.
    /// An atomic of std, because an atomic of loom would order the threads of the model.
    is_due: std::sync::atomic::AtomicBool,
    confirmed: AtomicBool,
}

pub(super) type Hot = Object<Counted>;

/// Only says that the object is to be released. loom fails a model by a panic, which must not leave a C
/// function.
unsafe extern "C" fn release(percpu: NonNull<PercpuRef>) {
    // SAFETY: each percpu reference of a model is the first member of a `Counted`.
    unsafe { Hot::around(percpu.cast()) }.refs.is_due.store(true, Relaxed);
}

unsafe extern "C" fn confirm(percpu: NonNull<PercpuRef>) {
    // SAFETY: as for `release`.
    // Relaxed: the confirmation itself orders nothing.
    unsafe { Hot::around(percpu.cast()) }.refs.confirmed.store(true, Relaxed);
}

impl Hot {
    /// An object with its initial reference. Its memory stays after the release.
    pub(super) fn with_flags(flags: u32) -> Arc<Self> {
        Self::new_hot(flags, false)
    }

    /// An object that is freed at its release.
    pub(super) fn freed() -> Arc<Self> {
        Self::new_hot(0, true)
    }

    fn new_hot(flags: u32, is_freed: bool) -> Arc<Self> {
        keep_a_chunk();
        // SAFETY: an object lives to the end of its model.
        let percpu = unsafe { PercpuRef::new(release, flags) }.expect("memory");
        Arc::new(Self::new(Counted {
            percpu: ManuallyDrop::new(percpu).into(),
            is_freed,
            is_due: false.into(),
            confirmed: AtomicBool::new(false),
        }))
    }

    pub(super) fn percpu(&self) -> &PercpuRef {
        // SAFETY: only the end of the object's life changes it, as below.
        unsafe { &*self.refs.percpu.get() }
    }

    pub(super) fn get(&self) {
        self.percpu().get_many(1);
    }

    pub(super) fn put(&self) {
        // SAFETY: the object lives to the end of its model, and the caller owns a reference.
        unsafe { PercpuRef::put_many(self.percpu().into(), 1) };
        self.release_if_due();
    }

    pub(super) fn use_and_put(&self) {
        self.read();
        self.put();
    }

    pub(super) fn kill(&self) {
        // SAFETY: as for `put`.
        unsafe { PercpuRef::kill(self.percpu().into(), Some(confirm)) };
        self.release_if_due();
    }

    /// loom runs no other thread between the release function and this function.
    fn release_if_due(&self) {
        if self.refs.is_due.swap(false, Relaxed) {
            self.release();
            if self.refs.is_freed {
                // SAFETY: loom checks that no other thread accesses the number, as none may if the memory
                // is freed.
                unsafe { &mut *self.refs.percpu.get() }.head.cpus.with_mut(|_| ());
            }
        }
    }

    /// The end of a model: no reference is left.
    pub(super) fn finish(&self, releases: usize) {
        assert_eq!(self.releases(), releases, "the count is wrong");
        assert!(self.percpu().is_zero(), "the count is wrong");
        self.percpu().exit(Caller::UNKNOWN);
    }
}

/// Keeps one counter for ever, so that no chunk is unmapped. So a sequence that comes too late does not
/// crash, but changes a counter that nobody reads.
fn keep_a_chunk() {
    static KEPT: Once = Once::new();
    KEPT.call_once(|| _ = Counters::take(2));
}

/// Starts a thread on `cpu` with `object`.
pub(super) fn user(
    cpu: Cpu,
    object: &Arc<Hot>,
    body: impl FnOnce(&Hot) + 'static,
) -> loom::thread::JoinHandle<()> {
    let object = Arc::clone(object);
    spawn(cpu, move || body(&object))
}

/// The kill adds up the counters while a thread takes and gives back references.
fn a_user_against_a_kill(cpu: Cpu) {
    model(move || {
        let object = Hot::with_flags(0);
        run_on(CPU_0);
        object.get();
        let user = user(cpu, &object, |object| {
            object.get();
            object.use_and_put();
            object.use_and_put();
        });
        object.kill();
        user.join().unwrap();
        object.finish(1);
    });
}

#[test]
fn a_user_on_another_cpu_against_a_kill() {
    a_user_against_a_kill(CPU_1);
}

#[test]
fn a_user_on_the_word_against_a_kill() {
    a_user_against_a_kill(NO_RSEQ);
}

/// Two users give their references back while another thread kills the object. One of the three threads
/// makes the last put.
fn two_users_against_a_kill(cpus: [Cpu; 2]) {
    model_within_limits(move || {
        let object = Hot::with_flags(0);
        run_on(CPU_0);
        object.get();
        object.get();
        let users = cpus.map(|cpu| user(cpu, &object, |object| object.use_and_put()));
        object.kill();
        for user in users {
            user.join().unwrap();
        }
        object.finish(1);
    });
}

#[test]
fn users_on_two_cpus_against_a_kill() {
    two_users_against_a_kill([CPU_0, CPU_1]);
}

#[test]
fn users_on_a_cpu_and_on_the_word_against_a_kill() {
    two_users_against_a_kill([CPU_1, NO_RSEQ]);
}

/// The caller holds a reference. Takes another one in a sequence, and gives both back on the word.
fn get_here_and_put_on_the_word(object: &Hot) {
    object.get();
    run_on(NO_RSEQ);
    object.use_and_put();
    object.use_and_put();
}

#[test]
fn a_user_who_loses_its_cpu_against_a_kill() {
    model_within_limits(|| {
        let object = Hot::with_flags(0);
        run_on(CPU_0);
        object.get();
        let user = user(CPU_0, &object, get_here_and_put_on_the_word);
        object.kill();
        user.join().unwrap();
        object.finish(1);
    });
}

/// Tries to take a reference at any time. If the kill was confirmed before, this must fail.
fn try_live(object: &Hot) {
    let confirmed = object.refs.confirmed.load(Relaxed);
    if object.percpu().tryget_live() {
        assert!(!confirmed, "taken after the kill");
        object.use_and_put();
    }
}

#[test]
fn tryget_live_against_a_kill() {
    model_within_limits(|| {
        let object = Hot::with_flags(ALLOW_REINIT);
        let sequence = user(CPU_0, &object, try_live);
        let word = user(NO_RSEQ, &object, try_live);
        object.kill();
        sequence.join().unwrap();
        word.join().unwrap();
        object.finish(1);
    });
}

/// The kernel refuses to fence. Nobody knows what the counters hold, so the object is not released, and
/// nothing is confirmed.
#[test]
fn tryget_live_against_a_kill_that_cannot_fence() {
    model(|| {
        let object = Hot::with_flags(0);
        refuse_to_fence();
        let user = user(CPU_0, &object, try_live);
        object.kill();
        user.join().unwrap();
        assert_eq!(object.releases(), 0, "released under a sequence");
        expect_a_report();
    });
}

/// The object leaves atomic mode while a thread takes a reference in a sequence and gives it back on the
/// word.
#[test]
fn a_user_against_a_switch_to_percpu() {
    model(|| {
        let object = Hot::with_flags(INIT_ATOMIC | ALLOW_REINIT);
        object.get();
        let user = user(CPU_0, &object, get_here_and_put_on_the_word);
        object.percpu().switch_to_percpu();
        user.join().unwrap();
        object.kill();
        object.finish(1);
    });
}

/// A thread that takes a reference in a sequence sees that the object has references.
#[test]
fn tryget_against_a_reinit() {
    model(|| {
        let object = Hot::with_flags(INIT_DEAD);
        let user = user(CPU_0, &object, |object| {
            if object.percpu().tryget_many(1) {
                assert!(!object.percpu().is_zero(), "zero while a reference is held");
                object.put();
            }
        });
        object.percpu().reinit();
        user.join().unwrap();
        object.kill();
        object.finish(1);
    });
}

/// The killer also holds a reference of its own, so the object is not released between the kills.
#[test]
fn a_user_against_a_kill_and_a_resurrection() {
    model_within_limits(|| {
        let object = Hot::with_flags(ALLOW_REINIT);
        run_on(CPU_1);
        object.get();
        object.get();
        let user = user(CPU_0, &object, |object| {
            object.get();
            object.use_and_put();
            object.use_and_put();
        });
        object.kill();
        object.percpu().resurrect();
        assert!(object.percpu().data().unwrap().word.is_split(), "the counters are gone");
        object.kill();
        object.use_and_put();
        user.join().unwrap();
        object.finish(1);
    });
}

/// Two threads change the mode, and a third one uses the object.
#[test]
fn a_user_against_a_kill_and_switches() {
    model_within_limits(|| {
        let object = Hot::with_flags(ALLOW_REINIT);
        object.get();
        object.get();
        let user = user(CPU_0, &object, |object| object.use_and_put());
        let switcher = self::user(CPU_1, &object, |object| {
            object.percpu().switch_to_atomic();
            object.percpu().switch_to_percpu();
            object.use_and_put();
        });
        object.kill();
        user.join().unwrap();
        switcher.join().unwrap();
        object.finish(1);
    });
}

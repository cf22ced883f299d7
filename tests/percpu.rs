//! The raw `PercpuRef` of Rust: its states, and what it reports. (tests/rust.rs has its safe forms.)
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::take;
use std::ptr::{NonNull, null_mut};

use kref::ViolationKind::{self, BadReinit, ExitWhileAlive, PutOnZero};
use kref::{ALLOW_REINIT, INIT_ATOMIC, PercpuRef, Violation, set_violation_handler};

thread_local! {
    static RELEASED: Cell<u32> = const { Cell::new(0) };
    static REPORTED: RefCell<Vec<ViolationKind>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn release(_: NonNull<PercpuRef>) {
    RELEASED.set(RELEASED.get() + 1);
}

unsafe extern "C" fn remember(violation: *const Violation, _: *mut c_void) {
    // SAFETY: the library's report, which is valid during the call.
    REPORTED.with_borrow_mut(|reported| reported.push(unsafe { &*violation }.kind));
}

/// What was reported in this thread since the last call.
fn reported() -> Vec<ViolationKind> {
    REPORTED.with_borrow_mut(take)
}

fn new(flags: u32) -> PercpuRef {
    // SAFETY: `remember` may be called in every thread.
    unsafe { set_violation_handler(Some(remember), null_mut()) };
    // SAFETY: `release` may be called with any address.
    unsafe { PercpuRef::new(release, flags) }.expect("memory")
}

fn kill(percpu: &PercpuRef) {
    // SAFETY: the test holds the initial reference, and gives it up.
    unsafe { PercpuRef::kill(NonNull::from(percpu), None) };
}

fn put(percpu: &PercpuRef, n: usize) {
    // SAFETY: the test holds the references, and gives them up.
    unsafe { PercpuRef::put_many(NonNull::from(percpu), n) };
}

#[test]
fn the_last_put_after_the_kill_releases() {
    for flags in [0, INIT_ATOMIC] {
        let percpu = new(flags);
        RELEASED.set(0);
        percpu.get_many(2);
        assert!(percpu.tryget_many(3) && percpu.tryget_live());
        assert!(!percpu.is_dying() && !percpu.is_zero());
        kill(&percpu);
        assert!(percpu.is_dying() && !percpu.is_zero());
        assert!(!percpu.tryget_live() && percpu.tryget_many(1));
        put(&percpu, 6);
        assert!(RELEASED.get() == 0 && !percpu.is_zero());
        put(&percpu, 1);
        assert!(RELEASED.get() == 1 && percpu.is_zero() && !percpu.tryget_many(1));
        assert_eq!(reported(), []);
    }
}

/// Nobody has a reference, so nobody may put, however few.
#[test]
fn a_put_of_no_references_does_not_release_again() {
    let percpu = new(0);
    RELEASED.set(0);
    kill(&percpu);
    put(&percpu, 0);
    assert_eq!((RELEASED.get(), reported()), (1, vec![PutOnZero]));
}

#[test]
fn a_killed_reference_comes_back() {
    let percpu = new(ALLOW_REINIT);
    RELEASED.set(0);
    percpu.get_many(1);
    kill(&percpu);
    percpu.resurrect();
    assert!(!percpu.is_dying() && percpu.tryget_live());
    put(&percpu, 2);
    kill(&percpu);
    assert_eq!(RELEASED.get(), 1);
    percpu.reinit();
    assert!(!percpu.is_dying() && percpu.tryget_live());
    put(&percpu, 1);
    kill(&percpu);
    assert_eq!(RELEASED.get(), 2);
    assert_eq!(reported(), []);
}

/// A percpu reference that is not killed or not allowed to come back does not.
#[test]
fn what_does_not_come_back_is_reported() {
    let percpu = new(0);
    percpu.switch_to_percpu(); // it is there
    assert_eq!(reported(), []);
    percpu.switch_to_atomic();
    assert_eq!(reported(), []);
    percpu.switch_to_percpu();
    assert_eq!(reported(), [BadReinit]);
    percpu.resurrect();
    assert_eq!(reported(), [BadReinit]);
    percpu.reinit();
    assert_eq!(reported(), [BadReinit]);

    let percpu = new(ALLOW_REINIT);
    percpu.switch_to_atomic();
    percpu.switch_to_percpu();
    percpu.get_many(1);
    kill(&percpu);
    assert_eq!(reported(), []);
    percpu.reinit(); // a reference is left
    assert_eq!(reported(), [BadReinit]);
    put(&percpu, 1);
}

#[test]
fn a_drop_while_somebody_holds_a_reference_is_reported() {
    drop(new(0));
    assert_eq!(reported(), []);
    let percpu = new(0);
    percpu.get_many(1);
    drop(percpu);
    assert_eq!(reported(), [ExitWhileAlive]);
}

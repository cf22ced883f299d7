//! The parts that the loom models of this crate share: a machine with sequences, threads on its CPUs, and
//! an object whose release comes too early if a count is wrong.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::cell::UnsafeCell;
use loom::thread::{self, JoinHandle};

use crate::rseq::{on_a_machine, run_on};
use crate::tracker::{Event, events};

/// Where a thread runs.
pub(crate) type Cpu = Option<usize>;

/// A CPU whose threads have sequences.
pub(crate) const CPU_0: Cpu = Some(0);
/// Another one.
pub(crate) const CPU_1: Cpu = Some(1);
/// A thread that is not registered, so that its sequences give up.
pub(crate) const NO_RSEQ: Cpu = None;

/// Runs `body` in every interleaving, on a machine with sequences. No thread may find misuse: a get on a
/// dead object, for example.
pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    loom::model(move || on_a_machine(|| without_misuse(&body)));
}

/// Runs `body` in every interleaving with at most three preemptions. Without a limit some models have too
/// many interleavings.
pub(crate) fn model_within_limits(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || on_a_machine(|| without_misuse(&body)));
}

fn without_misuse(body: impl FnOnce()) {
    let _ = events();
    body();
    assert!(!events().contains(&Event::Violated), "a count was misused");
}

/// Checks at the end of a model that the refused fence was reported.
pub(crate) fn expect_a_report() {
    assert!(events().contains(&Event::Violated), "the refusal was not reported");
}

/// Checks the calls of the tracker for an object that began with `n` references. Before `released` there was
/// a `putting` for every reference. After `released` there was no call but `done` for an earlier put, and
/// `getting` for a get that fails.
pub(crate) fn check_calls(n: i32) {
    let events = events();
    assert!(!events.contains(&Event::Violated), "a count was misused");
    let end = events.iter().position(|&event| event == Event::Released).expect("a release");
    let (before, after) = events.split_at(end);
    let harmless = |event: &Event| matches!(event, Event::Done | Event::Getting);
    assert!(after.iter().skip(1).all(harmless), "a call after the release: {events:?}");
    let count = |kind: fn(&&Event) -> bool| before.iter().filter(kind).count() as i32;
    let got = count(|event| matches!(event, Event::Got(_)));
    let put = count(|event| matches!(event, Event::Putting(_)));
    assert_eq!(n + got, put, "a put without a call: {events:?}");
}

/// Starts a thread on `cpu`.
pub(crate) fn spawn<T: 'static>(cpu: Cpu, body: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    thread::spawn(move || {
        run_on(cpu);
        body()
    })
}

/// An object that is never freed, so that a wrong model does not crash but fails. `release` writes the
/// payload, which the holders read. So loom finds a release that comes too early.
#[repr(C)]
pub(crate) struct Object<C> {
    pub(crate) refs: C,
    payload: UnsafeCell<bool>,
    /// An atomic of std, because an atomic of loom would order the threads of the model.
    releases: AtomicUsize,
}

// SAFETY: loom runs all threads of a model in one thread of the system.
unsafe impl<C> Sync for Object<C> {}
// SAFETY: as above.
unsafe impl<C> Send for Object<C> {}

impl<C> Object<C> {
    pub(crate) fn new(refs: C) -> Self {
        Self { refs, payload: UnsafeCell::new(false), releases: AtomicUsize::new(0) }
    }

    /// The object that contains the count.
    ///
    /// # Safety
    /// The count is in an object, which lives for `'a`.
    pub(crate) unsafe fn around<'a>(refs: NonNull<C>) -> &'a Self {
        // SAFETY: as promised. The count is the first member.
        unsafe { refs.cast().as_ref() }
    }

    pub(crate) fn write(&self) {
        // SAFETY: loom checks that no other thread accesses the payload.
        self.payload.with_mut(|payload| unsafe { *payload = true });
    }

    /// Whether the object was written.
    pub(crate) fn read(&self) -> bool {
        // SAFETY: loom checks that no other thread writes the payload.
        self.payload.with(|payload| unsafe { *payload })
    }

    pub(crate) fn release(&self) {
        self.write();
        self.releases.fetch_add(1, Relaxed);
    }

    pub(crate) fn releases(&self) -> usize {
        self.releases.load(Relaxed)
    }
}

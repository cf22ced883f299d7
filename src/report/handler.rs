//! The violation handler in force.
//!
//! One atomic pointer leads to a handler and its context. The pair never changes and is never freed,
//! so a reader needs no lock: not in a signal handler, and not in the child of a fork. The program's
//! pairs are few. A pair that is set a second time is found again in the list of all pairs.
#![cfg_attr(loom, allow(dead_code, reason = "in a model only the test sets a handler"))]

use core::ffi::c_void;
use core::ptr;

use crate::kind::Handler;
use crate::sys::sync::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
    UnsafeCell,
};

/// A handler, its context, and the pair that was added before this one.
struct Target(UnsafeCell<Pair>);

#[derive(Clone, Copy)]
struct Pair {
    handler: Handler,
    context: *mut c_void,
    older: *const Target,
}

impl Target {
    fn pair(&self) -> Pair {
        // SAFETY: nobody writes to a pair after its target was published.
        self.0.with(|pair| unsafe { *pair })
    }
}

/// The handler in force, and the list of all pairs.
struct Targets {
    /// Null for the default handler.
    current: AtomicPtr<Target>,
    newest: AtomicPtr<Target>,
}

impl Targets {
    /// The pair in force; `None` for the default handler.
    fn current(&self) -> Option<(Handler, *mut c_void)> {
        // Acquire: pairs with the release in `set`, so that the pair is complete.
        let target = self.current.load(Acquire);
        // SAFETY: null, or a pair that lives for good.
        let pair = unsafe { target.as_ref() }?.pair();
        Some((pair.handler, pair.context))
    }

    /// Puts a pair in force. `None`, and nothing done, if there is no memory for a new pair.
    fn set(&self, handler: Option<Handler>, context: *mut c_void) -> Option<()> {
        let target = match handler {
            Some(handler) => self.find(handler, context).or_else(|| self.add(handler, context))?,
            None => ptr::null(),
        };
        // Release: pairs with the acquire in `current`.
        self.current.store(target.cast_mut(), Release);
        Some(())
    }

    fn find(&self, handler: Handler, context: *mut c_void) -> Option<*const Target> {
        // Acquire: pairs with the release in `add`.
        let mut at = self.newest.load(Acquire).cast_const();
        // SAFETY: null, or a pair that lives for good.
        while let Some(target) = unsafe { at.as_ref() } {
            let pair = target.pair();
            if ptr::fn_addr_eq(pair.handler, handler) && pair.context == context {
                return Some(at);
            }
            at = pair.older;
        }
        None
    }

    fn add(&self, handler: Handler, context: *mut c_void) -> Option<*const Target> {
        // SAFETY: malloc may always be called.
        let target: *mut Target = unsafe { libc::malloc(size_of::<Target>()) }.cast();
        if target.is_null() {
            return None;
        }
        let mut older = self.newest.load(Relaxed);
        loop {
            // SAFETY: new memory of that size, with malloc's alignment.
            unsafe { target.write(Target(UnsafeCell::new(Pair { handler, context, older }))) };
            // Release: pairs with the acquire in `find`. The exchange continues the release sequence of the
            // older pair, so that one acquire shows the whole list.
            match self.newest.compare_exchange(older, target, Release, Relaxed) {
                Ok(_) => return Some(target),
                Err(now) => older = now,
            }
        }
    }
}

#[cfg(not(loom))]
static TARGETS: Targets =
    Targets { current: AtomicPtr::new(ptr::null_mut()), newest: AtomicPtr::new(ptr::null_mut()) };

#[cfg(not(loom))]
pub(super) fn current() -> Option<(Handler, *mut c_void)> {
    TARGETS.current()
}

#[cfg(not(loom))]
pub(super) fn set(handler: Option<Handler>, context: *mut c_void) {
    if TARGETS.set(handler, context).is_none() {
        let mut line = crate::sys::line::Line::new();
        line.text("no memory for a new violation handler: the old one stays in force").write();
    }
}

/// A model has no statics. The model itself looks for misuse.
#[cfg(loom)]
pub(super) fn current() -> Option<(Handler, *mut c_void)> {
    unsafe extern "C" fn ignore(_: *const crate::kind::Report, _: *mut c_void) {}
    Some((ignore, ptr::null_mut()))
}

#[cfg(loom)]
pub(super) fn set(_: Option<Handler>, _: *mut c_void) {}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use super::*;

    // SAFETY: loom fails the model at an access to a cell that nothing orders.
    unsafe impl Send for Targets {}
    // SAFETY: as for Send.
    unsafe impl Sync for Targets {}

    unsafe extern "C" fn ignore(_: *const crate::kind::Report, _: *mut c_void) {}

    fn none() -> Targets {
        let null = || AtomicPtr::new(ptr::null_mut());
        Targets { current: null(), newest: null() }
    }

    fn context(number: usize) -> *mut c_void {
        ptr::without_provenance_mut(number)
    }

    #[test]
    fn a_reader_sees_a_complete_pair() {
        loom::model(|| {
            let targets = Arc::new(none());
            let theirs = Arc::clone(&targets);
            let writer = loom::thread::spawn(move || {
                for number in 1..=2 {
                    theirs.set(Some(ignore), context(number)).expect("memory");
                }
            });
            if let Some((_, context)) = targets.current() {
                assert!((1..=2).contains(&context.addr()));
            }
            writer.join().unwrap();
            assert_eq!(targets.current().expect("set above").1.addr(), 2);
        });
    }

    /// Each thread adds a pair, and walks the list that the other has added to.
    #[test]
    fn two_threads_add_to_one_list() {
        loom::model(|| {
            let targets = Arc::new(none());
            let theirs = Arc::clone(&targets);
            let other = loom::thread::spawn(move || {
                theirs.set(Some(ignore), context(1)).expect("memory");
                let _ = theirs.find(ignore, context(3));
            });
            targets.set(Some(ignore), context(2)).expect("memory");
            let _ = targets.find(ignore, context(3));
            other.join().unwrap();
            for number in [1, 2] {
                assert!(targets.find(ignore, context(number)).is_some(), "a lost pair");
            }
        });
    }
}

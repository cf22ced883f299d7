//! The current violation handler.
//!
//! One atomic pointer points to a pair: a handler and its context. A pair never changes and is never
//! freed. So a thread can read the current pair without a lock, also in a signal handler or in the
//! child of a fork. All pairs are in a list. A pair that is set again is found in the list and not
//! allocated again, so the list stays short: a program has few handlers.
#![cfg_attr(loom, allow(dead_code, reason = "in a model only the test sets a handler"))]

use core::ffi::c_void;
use core::ptr;

use crate::kind::Handler;
use crate::sys::sync::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
    UnsafeCell,
};

/// A pair in the list.
struct Target(UnsafeCell<Pair>);

#[derive(Clone, Copy)]
struct Pair {
    handler: Handler,
    context: *mut c_void,
    /// The pair that was added before this one, or null.
    older: *const Target,
}

impl Target {
    fn pair(&self) -> Pair {
        // SAFETY: nobody writes to a pair after it was published.
        self.0.with(|pair| unsafe { *pair })
    }
}

/// The current pair, and the list of all pairs.
struct Targets {
    /// The current pair. Null for the default handler.
    current: AtomicPtr<Target>,
    /// The first pair of the list, or null.
    newest: AtomicPtr<Target>,
}

impl Targets {
    /// The current handler and its context. `None` for the default handler.
    fn current(&self) -> Option<(Handler, *mut c_void)> {
        // Acquire: pairs with the release in `set`, so that this thread sees a complete pair.
        let target = self.current.load(Acquire);
        // SAFETY: null, or a pair, which is never freed.
        let pair = unsafe { target.as_ref() }?.pair();
        Some((pair.handler, pair.context))
    }

    /// Sets the current pair. If there is no memory for a new pair, changes nothing and returns `None`.
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
        // SAFETY: null, or a pair, which is never freed.
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
            // SAFETY: `target` is new memory of the right size, and malloc aligns it for every type.
            unsafe { target.write(Target(UnsafeCell::new(Pair { handler, context, older }))) };
            // Release: pairs with the acquire in `find`. The exchange continues the release sequence of
            // the older pairs, so one acquire load of `newest` is enough for the whole list.
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

/// A loom model cannot use the static list. The handler does nothing: the model itself checks for misuse.
#[cfg(loom)]
pub(super) fn current() -> Option<(Handler, *mut c_void)> {
    unsafe extern "C" fn ignore(_: *const crate::kind::Violation, _: *mut c_void) {}
    Some((ignore, ptr::null_mut()))
}

#[cfg(loom)]
pub(super) fn set(_: Option<Handler>, _: *mut c_void) {}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use super::*;

    // SAFETY: loom fails the model if nothing orders two accesses to a cell.
    unsafe impl Send for Targets {}
    // SAFETY: as for Send.
    unsafe impl Sync for Targets {}

    unsafe extern "C" fn ignore(_: *const crate::kind::Violation, _: *mut c_void) {}

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

    /// Each thread adds a pair, and then walks the list, to which the other thread adds too.
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

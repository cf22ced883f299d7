//! The violation handler in force: two words that are read without a lock.
//!
//! A latch, as in the kernel's `seqcount_latch`: two copies, and a sequence number whose lowest bit
//! says which one is in force. A writer fills the other copy and then moves the number on. A reader
//! that interrupts a writer, even its own thread's, or runs in the child of a fork that caught one
//! in the midst, finds the copy in force untouched.
// In a model only the tests use the latch.
#![cfg_attr(loom, allow(dead_code))]

use core::ffi::c_void;
use core::ptr;

use crate::sync::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::violation::Handler;

/// The handler in force with its context; `None` stands for the default.
#[cfg(not(loom))]
pub(crate) fn current() -> Option<(Handler, *mut c_void)> {
    let (handler, context) = LATCH.get();
    // SAFETY: the word is null or was a `Handler` in `set`, and `Option` of it has its layout.
    let handler = unsafe { core::mem::transmute::<*mut (), Option<Handler>>(handler) };
    handler.map(|handler| (handler, context))
}

#[cfg(not(loom))]
pub(crate) fn set(handler: Option<Handler>, context: *mut c_void) {
    use crate::locked::{PthreadMutex, RawLock};
    static WRITERS: PthreadMutex = PthreadMutex::new();

    // A default mutex that is never destroyed cannot fail to lock.
    let locked = WRITERS.lock();
    LATCH.set(handler.map_or(ptr::null_mut(), |handler| handler as *mut ()), context);
    if locked.is_ok() {
        // SAFETY: taken above.
        unsafe { WRITERS.unlock() };
    }
}

/// A model has no statics; what it misuses it looks at itself.
#[cfg(loom)]
pub(crate) fn current() -> Option<(Handler, *mut c_void)> {
    unsafe extern "C" fn ignore(_: *const crate::violation::Report, _: *mut c_void) {}
    Some((ignore, ptr::null_mut()))
}

#[cfg(loom)]
pub(crate) fn set(_: Option<Handler>, _: *mut c_void) {}

#[cfg(not(loom))]
static LATCH: Latch = Latch {
    sequence: AtomicUsize::new(0),
    copies: [const {
        Pair { handler: AtomicPtr::new(ptr::null_mut()), context: AtomicPtr::new(ptr::null_mut()) }
    }; 2],
};

struct Latch {
    sequence: AtomicUsize,
    copies: [Pair; 2],
}

struct Pair {
    handler: AtomicPtr<()>,
    context: AtomicPtr<c_void>,
}

impl Latch {
    /// Writers must exclude each other.
    fn set(&self, handler: *mut (), context: *mut c_void) {
        // Relaxed: only writers write it.
        let next = self.sequence.load(Relaxed).wrapping_add(1);
        let spare = &self.copies[next & 1];
        // Release: whoever reads these values too early sees that the sequence has moved since it
        // looked; pairs with the acquire loads of `get`.
        spare.handler.store(handler, Release);
        spare.context.store(context, Release);
        // Release: whoever reads the new number reads the new copy; pairs with `get`'s first load.
        self.sequence.store(next, Release);
    }

    fn get(&self) -> (*mut (), *mut c_void) {
        loop {
            // Acquire: pairs with the release store of the sequence in `set`.
            let sequence = self.sequence.load(Acquire);
            let copy = &self.copies[sequence & 1];
            // Acquire: the second look at the sequence comes after these; pairs with `set`.
            let handler = copy.handler.load(Acquire);
            let context = copy.context.load(Acquire);
            if self.sequence.load(Relaxed) == sequence {
                return (handler, context);
            }
        }
    }
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn empty() -> Pair {
        Pair { handler: AtomicPtr::new(ptr::null_mut()), context: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The second set writes the copy that the reader may have begun with.
    #[test]
    fn a_reader_against_two_sets_never_sees_a_torn_pair() {
        loom::model(|| {
            let latch = Latch { sequence: AtomicUsize::new(0), copies: [empty(), empty()] };
            let latch = Arc::new(latch);
            let theirs = Arc::clone(&latch);
            let writer = loom::thread::spawn(move || {
                for n in 1..=2 {
                    theirs.set(ptr::without_provenance_mut(n), ptr::without_provenance_mut(n));
                }
            });
            let (handler, context) = latch.get();
            assert_eq!(handler.addr(), context.addr(), "a torn pair");
            writer.join().unwrap();
            assert_eq!(latch.get().1.addr(), 2);
        });
    }
}

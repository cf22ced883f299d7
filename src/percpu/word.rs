//! The shared half of a percpu reference: a count and two flags in one atomic word.
//!
//! ```text
//!  | count, in units of ONE ........................................ | PERCPU | DEAD |
//! ```
//!
//! * PERCPU: a part of the count, of either sign, is in the CPUs' counters. The part here may be any
//!   number and says nothing about zero.
//! * DEAD: killed. `tryget_live` fails from this moment on, because the flag is in the same word.
//! * Without PERCPU the word has the whole count. At zero the object is released. A negative count is
//!   misused and goes to [`SATURATED`], from where it never returns.
//!
//! The flags are the lowest bits, so no addition to the count reaches them. A thread that does not use
//! its CPU's counter does one operation on this word in either mode. So the mode may change at any time.

use crate::kind::Violation;
use crate::sys::sync::{
    AtomicIsize,
    Ordering::{Acquire, Relaxed, Release},
};

const DEAD: isize = 1;
const PERCPU: isize = 2;
const ONE: isize = 4;

/// The most that one operation may add or take: half the bits, 2^31 - 1 where a word has 64.
pub(super) const MOST: usize = usize::MAX >> (usize::BITS / 2 + 1);

/// The most that the counters may hold together: what a count may be.
const MOST_ELSEWHERE: usize = (isize::MAX / (2 * ONE)) as usize;

/// A misused count ends here: 2^29 operations of [`MOST`] away from zero.
const SATURATED: isize = isize::MIN / 2;

/// A smaller count was saturated before; a larger negative one was put too often.
const DRIFTING: isize = isize::MIN / 4;

pub(crate) struct Word(AtomicIsize);

/// What came of giving references back.
#[derive(Debug, PartialEq)]
pub(crate) enum Put {
    Done,
    Last,
}

impl Word {
    pub(crate) fn new(count: isize, is_dead: bool) -> Self {
        Self(AtomicIsize::new((count * ONE) | if is_dead { DEAD } else { 0 }))
    }

    /// Takes `n` more references.
    pub(crate) fn get(&self, n: usize) -> Result<(), Violation> {
        if n > MOST {
            return Err(self.saturate(Violation::Overflow));
        }
        // Relaxed: the caller's own reference keeps and shows the object.
        let old = self.0.fetch_add(n as isize * ONE, Relaxed);
        if old & PERCPU != 0 || old >= ONE {
            return Ok(());
        }
        let kind = if old < 0 { Violation::Saturated } else { Violation::GetOnZero };
        Err(self.saturate(kind))
    }

    /// Takes `n` references unless there are none; `false` if so.
    pub(crate) fn tryget(&self, n: usize) -> Result<bool, Violation> {
        self.get_unless(n, |word| word & !DEAD == 0)
    }

    /// Takes `n` references unless the reference was killed; `false` if so.
    pub(crate) fn tryget_live(&self, n: usize) -> Result<bool, Violation> {
        self.get_unless(n, |word| word & DEAD != 0 || word == 0)
    }

    fn get_unless(&self, n: usize, refuses: impl Fn(isize) -> bool) -> Result<bool, Violation> {
        if n > MOST {
            return Err(self.saturate(Violation::Overflow));
        }
        let mut old = self.0.load(Relaxed);
        loop {
            if refuses(old) {
                return Ok(false);
            }
            if old & PERCPU == 0 && old < 0 {
                return Err(self.saturate(Violation::Saturated));
            }
            // Relaxed: whatever keeps the memory from being freed shows the object, too.
            match self.0.compare_exchange_weak(old, old + n as isize * ONE, Relaxed, Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => old = now,
            }
        }
    }

    /// Gives back `n` references.
    pub(crate) fn put(&self, n: usize) -> Result<Put, Violation> {
        if n > MOST {
            return Err(self.saturate(Violation::PutOnZero));
        }
        // Release: pairs with the acquire load of the last put.
        let old = self.0.fetch_sub(n as isize * ONE, Release);
        if old & PERCPU != 0 {
            return Ok(Put::Done);
        }
        let (before, after) = (old & !DEAD, (old & !DEAD) - n as isize * ONE);
        match after {
            1.. => Ok(Put::Done),
            0 if before > 0 => {
                // Acquire: pairs with the release of every earlier put, and of `fold`.
                let _ = self.0.load(Acquire);
                Ok(Put::Last)
            }
            _ if before < 0 => Err(self.saturate(Violation::Saturated)),
            _ => Err(self.saturate(Violation::PutOnZero)),
        }
    }

    /// Marks the word dead; `false` if it was dead already.
    pub(crate) fn kill(&self) -> bool {
        // Relaxed: a thread whose get fails reads nothing of the object.
        self.0.fetch_or(DEAD, Relaxed) & DEAD == 0
    }

    /// Makes a dead word alive again, with one reference.
    pub(crate) fn resurrect(&self) {
        // Relaxed: the caller owns the object alone, or holds a reference.
        self.0.fetch_add(ONE - DEAD, Relaxed);
    }

    /// From here on a part of the count is in the CPUs' counters.
    pub(crate) fn split(&self) {
        // Relaxed: all counters are zero, and the store that opens them to other threads is a release.
        self.0.fetch_or(PERCPU, Relaxed);
    }

    /// Adds the sum of the CPUs' counters, so that the word has the whole count. The caller's reference
    /// must be left.
    pub(crate) fn fold(&self, elsewhere: isize) -> Result<(), Violation> {
        if elsewhere.unsigned_abs() > MOST_ELSEWHERE {
            // Saturated before the flag goes: in between no thread may find zero.
            let kind = self.saturate(Violation::Overflow);
            self.0.fetch_sub(PERCPU, Relaxed);
            return Err(kind);
        }
        let parts = elsewhere.wrapping_mul(ONE);
        // Release: the fence has shown this thread what was done before the puts that the sum contains.
        // Pairs with the acquire load of the last put.
        let old = self.0.fetch_add(parts.wrapping_sub(PERCPU), Release);
        let total = (old & !(DEAD | PERCPU)).wrapping_add(parts);
        match total {
            ONE.. if total < isize::MAX / 2 => Ok(()),
            ONE.. => Err(self.saturate(Violation::Overflow)),
            DRIFTING..ONE => Err(self.saturate(Violation::PutOnZero)),
            _ => Err(self.saturate(Violation::Saturated)),
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.load(Relaxed) & DEAD != 0
    }

    pub(crate) fn is_split(&self) -> bool {
        self.0.load(Relaxed) & PERCPU != 0
    }

    /// Whether no reference is left.
    pub(crate) fn is_zero(&self) -> bool {
        // Acquire: a caller that finds zero may reuse the object; pairs with the release of every put.
        self.0.load(Acquire) & !DEAD == 0
    }

    /// The count, while the word has all of it.
    pub(crate) fn count(&self) -> isize {
        // Acquire: a caller that finds its reference alone may free the object; pairs with the release of
        // every put.
        self.0.load(Acquire) / ONE
    }

    /// Makes the count harmless before anybody hears of `kind`.
    #[cold]
    fn saturate(&self, kind: Violation) -> Violation {
        let mut old = self.0.load(Relaxed);
        // Relaxed: the store publishes nothing. An exchange, because other threads own the flags.
        while let Err(now) =
            self.0.compare_exchange_weak(old, SATURATED | (old & (DEAD | PERCPU)), Relaxed, Relaxed)
        {
            old = now;
        }
        kind
    }
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::thread;

    use super::*;

    struct Object {
        word: Word,
        payload: UnsafeCell<()>,
    }

    // SAFETY: loom fails the model at an access to the cell that nothing orders.
    unsafe impl Sync for Object {}

    impl Object {
        fn read(&self) {
            // SAFETY: loom checks that no other thread writes.
            self.payload.with(|payload| unsafe { *payload });
        }

        fn release(&self) {
            // SAFETY: loom checks that no other thread is in the cell.
            self.payload.with_mut(|payload| unsafe { *payload = () });
        }

        fn use_and_put(&self) -> bool {
            self.read();
            let last = self.word.put(1) == Ok(Put::Last);
            if last {
                self.release();
            }
            last
        }
    }

    fn race<A: 'static, B>(
        word: Word,
        there: impl FnOnce(&Object) -> A + 'static,
        here: impl FnOnce(&Object) -> B,
    ) -> (A, B) {
        let object = Arc::new(Object { word, payload: UnsafeCell::new(()) });
        let theirs = Arc::clone(&object);
        let other = thread::spawn(move || there(&theirs));
        let here = here(&object);
        (other.join().unwrap(), here)
    }

    #[test]
    fn put_against_put() {
        loom::model(|| {
            let (there, here) = race(Word::new(2, true), Object::use_and_put, Object::use_and_put);
            assert_ne!(there, here);
        });
    }

    /// After the kill no thread takes a reference, and the last put releases.
    #[test]
    fn kill_against_tryget_live() {
        loom::model(|| {
            let user =
                |object: &Object| object.word.tryget_live(1).unwrap() && object.use_and_put();
            let (there, here) = race(Word::new(1, false), user, |object| {
                assert!(object.word.kill() && !object.word.kill());
                assert_eq!(object.word.tryget_live(1), Ok(false));
                let held = object.word.count();
                object.read();
                assert!(object.word.count() <= held, "taken after the kill");
                object.use_and_put()
            });
            assert_ne!(there, here);
        });
    }

    /// The thread that adds the counters up releases what the puts on the counters have done.
    #[test]
    fn fold_against_the_last_put() {
        loom::model(|| {
            let word = Word::new(1, false);
            word.split();
            let adds_up = |object: &Object| {
                object.read(); // what a put on a counter has done, and the fence has shown
                object.word.fold(0).unwrap();
            };
            race(word, adds_up, |object| {
                if !object.word.is_split() {
                    assert!(object.use_and_put());
                }
            });
        });
    }

    #[test]
    fn a_split_word_is_never_zero() {
        loom::model(|| {
            let word = Word::new(1, false);
            word.split();
            // Two references, one of them on a counter.
            let (there, here) = race(word, Object::use_and_put, |object| {
                assert!(!object.word.is_zero());
                object.word.fold(1).unwrap();
                object.use_and_put()
            });
            assert_ne!(there, here);
        });
    }

    /// For a reference that was never killed, and holds its initial reference alone.
    #[test]
    fn a_thread_that_finds_one_reference_may_free_the_object() {
        loom::model(|| {
            let user = |object: &Object| {
                object.read();
                object.word.put(1).unwrap()
            };
            race(Word::new(2, false), user, |object| {
                if object.word.count() == 1 {
                    object.release();
                }
            });
        });
    }

    #[test]
    fn a_thread_that_finds_zero_may_reuse_the_object() {
        loom::model(|| {
            let user = |object: &Object| {
                object.read();
                object.word.put(1).unwrap()
            };
            race(Word::new(1, true), user, |object| {
                if object.word.is_zero() {
                    object.release();
                }
            });
        });
    }
}

//! The shared half of a percpu reference: a count and two flags in one atomic word.
//!
//! ```text
//!  | count, in units of ONE ........................................ | PERCPU | DEAD |
//! ```
//!
//! * PERCPU: a part of the count, of either sign, is in the counters of the CPUs. The rest, here, may
//!   be anything, and says nothing about zero.
//! * DEAD: killed. `tryget_live` fails. In the word, so that it fails from that moment on.
//! * Without PERCPU the count is the count: at zero the object is released, and a negative one has
//!   been misused. It is sent to [`SATURATED`], from where nobody brings it back.
//!
//! The flags are the lowest bits: nothing that is added to the count ever reaches them. All that a
//! thread does without its CPU's counter is one operation on this word, whatever the mode: so the
//! mode may change at any time.

use crate::sync::{
    AtomicIsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::violation::Violation;

const DEAD: isize = 1;
const PERCPU: isize = 2;
const ONE: isize = 4;

/// The most that one operation may add or take: half the bits, 2^31 - 1 where a word has 64.
pub(super) const MOST: usize = usize::MAX >> (usize::BITS / 2 + 1);

/// The most that the counters may hold together: what a count may be.
const MOST_ELSEWHERE: usize = (isize::MAX / (2 * ONE)) as usize;

/// Where a misused count ends: as far from zero as 2^29 operations of [`MOST`] each.
const SATURATED: isize = isize::MIN / 2;

/// Below it a count was not just put too often, but had saturated before.
const DRIFTING: isize = isize::MIN / 4;

pub(crate) struct Word(AtomicIsize);

/// What became of giving references back.
#[derive(Debug, PartialEq)]
pub(crate) enum Put {
    Done,
    Last,
    Failed(Violation),
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
        // Relaxed: the caller's own reference keeps and shows it the object.
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
            // Relaxed: what keeps the memory from being freed shows the object, too.
            match self.0.compare_exchange_weak(old, old + n as isize * ONE, Relaxed, Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => old = now,
            }
        }
    }

    /// Gives back `n` references.
    pub(crate) fn put(&self, n: usize) -> Put {
        if n > MOST {
            return Put::Failed(self.saturate(Violation::PutOnZero));
        }
        // Release: pairs with the acquire load of whoever puts last.
        let old = self.0.fetch_sub(n as isize * ONE, Release);
        if old & PERCPU != 0 {
            return Put::Done;
        }
        let (before, after) = (old & !DEAD, (old & !DEAD) - n as isize * ONE);
        match after {
            1.. => Put::Done,
            0 if before > 0 => {
                // Acquire: pairs with the release of every earlier put, and of `fold`.
                let _ = self.0.load(Acquire);
                Put::Last
            }
            _ if before < 0 => Put::Failed(self.saturate(Violation::Saturated)),
            _ => Put::Failed(self.saturate(Violation::PutOnZero)),
        }
    }

    /// Marks it dead; `false` if it was already.
    pub(crate) fn kill(&self) -> bool {
        // Relaxed: whoever fails to get has nothing to see.
        self.0.fetch_or(DEAD, Relaxed) & DEAD == 0
    }

    /// Brings the dead to life, with one reference.
    pub(crate) fn resurrect(&self) {
        // Relaxed: the caller has the object to itself, or a reference.
        self.0.fetch_add(ONE - DEAD, Relaxed);
    }

    /// From here on a part of the count is elsewhere.
    pub(crate) fn split(&self) {
        // Relaxed: the counters are all zero, and what opens them to others orders this.
        self.0.fetch_or(PERCPU, Relaxed);
    }

    /// Adds what was elsewhere: the count is whole. There must be a reference left, the caller's.
    pub(crate) fn fold(&self, elsewhere: isize) -> Result<(), Violation> {
        if elsewhere.unsigned_abs() > MOST_ELSEWHERE {
            // Saturated before it is whole: in between nobody may find zero.
            let kind = self.saturate(Violation::Overflow);
            self.0.fetch_sub(PERCPU, Relaxed);
            return Err(kind);
        }
        let parts = elsewhere.wrapping_mul(ONE);
        // Release: the fence showed this thread what was done before the puts that it adds here;
        // pairs with the acquire load of whoever puts last.
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
        // Acquire: whoever finds it so may reuse the object; pairs with the release of every put.
        self.0.load(Acquire) & !DEAD == 0
    }

    /// The count, where it is whole.
    pub(crate) fn count(&self) -> isize {
        // Acquire: whoever finds nobody else may free the object; pairs with the release of every put.
        self.0.load(Acquire) / ONE
    }

    /// Makes the count harmless before anybody hears of `kind`.
    #[cold]
    fn saturate(&self, kind: Violation) -> Violation {
        let mut old = self.0.load(Relaxed);
        // Relaxed: it publishes nothing. An exchange, for the flags are others'.
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

    // SAFETY: loom finds accesses to the cell that nothing orders, and fails the model.
    unsafe impl Sync for Object {}

    impl Object {
        fn read(&self) {
            // SAFETY: loom checks that nobody is writing.
            self.payload.with(|payload| unsafe { *payload });
        }

        fn release(&self) {
            // SAFETY: loom checks that nobody else is in the cell.
            self.payload.with_mut(|payload| unsafe { *payload = () });
        }

        fn use_and_put(&self) -> bool {
            self.read();
            let last = self.word.put(1) == Put::Last;
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

    /// Whoever was not alive before the kill is not alive after it, and the last put releases.
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

    /// Puts on the CPUs' counters are released by whoever adds the counters up.
    #[test]
    fn fold_against_the_last_put() {
        loom::model(|| {
            let word = Word::new(1, false);
            word.split();
            let adds_up = |object: &Object| {
                object.read(); // before a put on a counter, which the fence showed this thread
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
            // There are two references, one of them on a counter.
            let (there, here) = race(word, Object::use_and_put, |object| {
                assert!(!object.word.is_zero());
                object.word.fold(1).unwrap();
                object.use_and_put()
            });
            assert_ne!(there, here);
        });
    }

    /// Of one that was never killed: the initial reference alone.
    #[test]
    fn whoever_finds_nobody_else_may_free_the_object() {
        loom::model(|| {
            let user = |object: &Object| {
                object.read();
                object.word.put(1)
            };
            race(Word::new(2, false), user, |object| {
                if object.word.count() == 1 {
                    object.release();
                }
            });
        });
    }

    #[test]
    fn whoever_finds_zero_may_reuse_the_object() {
        loom::model(|| {
            let user = |object: &Object| {
                object.read();
                object.word.put(1)
            };
            race(Word::new(1, true), user, |object| {
                if object.word.is_zero() {
                    object.release();
                }
            });
        });
    }
}

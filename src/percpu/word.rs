//! The atomic word of a percpu reference: a count and two flags.
//!
//! ```text
//!  | count, in units of ONE ........................................ | PERCPU | DEAD |
//! ```
//!
//! * PERCPU: percpu mode. A part of the count, which may be negative, is in the CPUs' counters. So the
//!   count in the word may be any number, also zero.
//! * DEAD: the percpu reference was killed. From then on `tryget_live` fails, because it tests this
//!   flag in the same atomic operation that takes a reference.
//! * If PERCPU is not set, the word has the whole count. At zero the object is released. A negative
//!   count is misuse: the word becomes [`SATURATED_AT`] and stays negative.
//!
//! The word never wraps: a word above [`HIGHEST`], and with PERCPU a word below [`DRIFTING`], becomes
//! SATURATED_AT too. Gets and puts still move a saturated word: it drifts. [`fold`](Word::fold) adds or
//! subtracts at most [`MOST_ELSEWHERE`] references. So a saturated word stays below DRIFTING. A word with
//! PERCPU is split: a part of the count is in the counters.
//!
//! ```text
//!  isize::MIN      SATURATED_AT    DRIFTING                0               HIGHEST         isize::MAX
//!      |               |<- drift ...   |<- the part of a split word ------------>|                |
//!                                                  fold: |<->|
//! ```
//!
//! The flags are the lowest bits, so adding to the count does not change them. In both modes, a thread
//! that does not use its CPU's counter makes one operation on this word. So the mode may change at any
//! time.

use crate::kind::ViolationKind;
use crate::sys::sync::{
    AtomicIsize,
    Ordering::{Acquire, Relaxed, Release},
};

const DEAD: isize = 1;
const PERCPU: isize = 2;
const ONE: isize = 4;

/// The most references that one operation may take or give back: 2^31 - 1 if a word has 64 bits,
/// 2^15 - 1 if it has 32.
const MOST: usize = usize::MAX >> (usize::BITS / 2 + 1);

/// The largest number of references that the counters can have together.
const MOST_ELSEWHERE: usize = (isize::MAX / (8 * ONE)) as usize;

/// A word above this saturates at the next get.
const HIGHEST: isize = isize::MAX / 2;

/// The value of a misused word. It is so far from zero that 2^29 operations of [`MOST`] cannot bring it
/// back (2^13 if a word has 32 bits). Each such operation makes the word SATURATED_AT again, so only
/// operations of different threads at one time add up.
const SATURATED_AT: isize = isize::MIN / 2;

/// A word below this was saturated before. A word without PERCPU from here to -1 means that more references
/// were given back than taken.
const DRIFTING: isize = isize::MIN / 4;

pub(crate) struct Word(AtomicIsize);

impl Word {
    pub(crate) fn new(count: isize, is_dead: bool) -> Self {
        Self(AtomicIsize::new((count * ONE) | if is_dead { DEAD } else { 0 }))
    }

    /// Takes `n` more references.
    pub(crate) fn get(&self, n: usize) -> Result<(), ViolationKind> {
        if n > MOST {
            return Err(self.saturate(ViolationKind::Overflow));
        }
        // Relaxed: the caller already holds a reference, so the caller already sees the object.
        let old = self.0.fetch_add(n as isize * ONE, Relaxed);
        may_grow(old).map_err(|kind| self.saturate(kind))
    }

    /// Takes `n` references unless no reference is left. `false` if none is left.
    pub(crate) fn tryget(&self, n: usize) -> Result<bool, ViolationKind> {
        self.get_unless(n, |word| word & !DEAD == 0)
    }

    /// Takes `n` references unless the percpu reference was killed. `false` if it was.
    pub(crate) fn tryget_live(&self, n: usize) -> Result<bool, ViolationKind> {
        self.get_unless(n, |word| word & DEAD != 0 || word == 0)
    }

    fn get_unless(&self, n: usize, refuses: impl Fn(isize) -> bool) -> Result<bool, ViolationKind> {
        if n > MOST {
            return Err(self.saturate(ViolationKind::Overflow));
        }
        let mut old = self.0.load(Relaxed);
        loop {
            if refuses(old) {
                return Ok(false);
            }
            may_grow(old).map_err(|kind| self.saturate(kind))?;
            // Relaxed: the lock, or what else protects the lookup, orders the object's contents.
            match self.0.compare_exchange_weak(old, old + n as isize * ONE, Relaxed, Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => old = now,
            }
        }
    }

    /// Gives back `n` references. `true` if they were the last.
    pub(crate) fn put(&self, n: usize) -> Result<bool, ViolationKind> {
        if n > MOST {
            return Err(self.saturate(ViolationKind::PutOnZero));
        }
        // Release: pairs with the acquire load of the last put.
        let old = self.0.fetch_sub(n as isize * ONE, Release);
        if old & PERCPU != 0 && old >= DRIFTING {
            return Ok(false);
        }
        let (before, after) = (old & !DEAD, (old & !DEAD) - n as isize * ONE);
        match after {
            1.. => Ok(false),
            0 if before > 0 => {
                // Acquire: pairs with the release of every earlier put.
                let _ = self.0.load(Acquire);
                Ok(true)
            }
            _ if before < 0 => Err(self.saturate(ViolationKind::Saturated)),
            _ => Err(self.saturate(ViolationKind::PutOnZero)),
        }
    }

    /// Marks the word dead. `false` if it was dead already.
    pub(crate) fn kill(&self) -> bool {
        // Relaxed: a thread that cannot take a reference does not read the object.
        self.0.fetch_or(DEAD, Relaxed) & DEAD == 0
    }

    /// Marks a dead word alive again, and adds one reference.
    pub(crate) fn resurrect(&self) {
        // Relaxed: the caller holds a reference, or no other thread can reach the object.
        self.0.fetch_add(ONE - DEAD, Relaxed);
    }

    /// Sets PERCPU: from now on a part of the count is in the CPUs' counters.
    pub(crate) fn split(&self) {
        // Relaxed: the store of `cpus`, which allows other threads to use the counters, is a release.
        self.0.fetch_or(PERCPU, Relaxed);
    }

    /// Adds `elsewhere`, the sum of the CPUs' counters, and clears PERCPU: now the word has the whole
    /// count. The count is at least 1, because the caller holds a reference. If `elsewhere` is `None`, the sum
    /// has overflowed.
    pub(crate) fn fold(&self, elsewhere: Option<isize>) -> Result<(), ViolationKind> {
        let Some(elsewhere) = elsewhere else {
            // First saturates and then clears the flag, so that meanwhile no thread finds zero.
            let kind = self.saturate(ViolationKind::Overflow);
            self.0.fetch_sub(PERCPU, Relaxed);
            return Err(kind);
        };
        let parts = elsewhere * ONE;
        // Relaxed: the caller gives its own reference back later. That put is a release, and the last put
        // acquires. So who releases the object sees what was done before the puts that the sum contains
        // (models/*-percpu-put.litmus).
        let old = self.0.fetch_add(parts - PERCPU, Relaxed);
        let total = old + parts; // with the flags, which are less than ONE
        match total {
            ONE..HIGHEST => Ok(()),
            HIGHEST.. => Err(self.saturate(ViolationKind::Overflow)),
            DRIFTING..ONE => Err(self.saturate(ViolationKind::PutOnZero)),
            _ => Err(self.saturate(ViolationKind::Saturated)),
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
        // Acquire: if no reference is left, the caller may reuse the object. Pairs with the release of
        // every put.
        self.0.load(Acquire) & !DEAD == 0
    }

    /// The count, if PERCPU is not set.
    pub(crate) fn count(&self) -> isize {
        // Acquire: a caller that holds the only reference may free the object. Pairs with the release
        // of every put.
        self.0.load(Acquire) / ONE
    }

    /// Saturates the count, before the caller reports the violation.
    #[cold]
    fn saturate(&self, kind: ViolationKind) -> ViolationKind {
        let mut old = self.0.load(Relaxed);
        // Relaxed: the exchange publishes nothing. It keeps the flags, which other threads may change
        // meanwhile.
        while let Err(now) = self.0.compare_exchange_weak(
            old,
            SATURATED_AT | (old & (DEAD | PERCPU)),
            Relaxed,
            Relaxed,
        ) {
            old = now;
        }
        kind
    }
}

/// Whether a word that was `old` before a get may grow.
fn may_grow(old: isize) -> Result<(), ViolationKind> {
    let least = if old & PERCPU != 0 { DRIFTING } else { ONE };
    match old {
        HIGHEST.. => Err(ViolationKind::Overflow),
        _ if old >= least => Ok(()),
        ..0 => Err(ViolationKind::Saturated),
        _ => Err(ViolationKind::GetOnZero),
    }
}

/// Whether `sum`, the sum of counters, is a possible count.
pub(super) fn is_a_count(sum: isize) -> bool {
    sum.unsigned_abs() <= MOST_ELSEWHERE
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::models::Object;

    /// A user reads the object and gives its reference back. The main thread tests whether the object is
    /// unused. If so, the main thread writes to the object. loom reports a race if an ordering is too weak.
    fn a_put_against(word: fn() -> Word, is_unused: fn(&Word) -> bool) {
        loom::model(move || {
            let object = Arc::new(Object::new(word()));
            let theirs = Arc::clone(&object);
            let user = thread::spawn(move || {
                theirs.read();
                theirs.refs.put(1).unwrap()
            });
            if is_unused(&object.refs) {
                object.write();
            }
            user.join().unwrap();
        });
    }

    /// As `percpu_ref_exit` does for a percpu reference that was never killed: only the initial
    /// reference is left.
    #[test]
    fn a_thread_that_finds_one_reference_may_free_the_object() {
        a_put_against(|| Word::new(2, false), |word| word.count() == 1);
    }

    #[test]
    fn a_thread_that_finds_zero_may_reuse_the_object() {
        a_put_against(|| Word::new(1, true), Word::is_zero);
    }
}

//! The default violation handler. Writes one line to standard error for the first violation of each
//! kind and caller. If the caller is not known, writes a line for each violation: two unknown callers
//! may be two places. Then aborts, if `KREF_OPTIONS` says `on_violation=abort`.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{module, place};
use crate::kind::{Violation, ViolationKind};
use crate::options::{OnViolation, on_violation};
use crate::sys::bytes::take_until;
use crate::sys::errno;
use crate::sys::line::Line;

pub(super) fn warn(violation: &Violation) {
    let mode = on_violation();
    if mode == OnViolation::Quiet {
        return;
    }
    errno::preserved(|| {
        let novelty = SEEN.insert(violation);
        if novelty == Novelty::Known {
            return;
        }
        let mut line = Line::new();
        if novelty == Novelty::New {
            describe(&mut line, violation);
        } else {
            line.text("too many places misuse a count: new places are not reported");
        }
        line.write();
    });
    if mode == OnViolation::Abort {
        // SAFETY: abort may always be called.
        unsafe { libc::abort() };
    }
}

/// What the program did wrong, and what follows from it: a line for each kind, in the order of [`ViolationKind`].
/// (One text: a table of pointers to texts needs a relocation for each pointer.)
const MEANINGS: &str = concat!(
    "get on a count of zero: the object is already being released\n",
    "overflow: more references than a count can hold, or a negative number; the object leaks\n",
    "put on a count of zero: more references given back than taken, or a negative number\n",
    "dec that reached zero: the last reference is gone and nobody released the object\n",
    "use of a saturated count: an earlier misuse or memory that is no count; the object leaks\n",
    "the lock cannot be taken: nothing was looked up or given back\n",
    "second percpu_ref_kill: the initial reference was given back already\n",
    "percpu_ref_exit while references are held: nothing is freed, and the counters leak\n",
    "percpu_ref_resurrect, reinit or switch_to_percpu on a percpu_ref that was not killed, is still \
     referenced, or was initialised without PERCPU_REF_ALLOW_REINIT\n",
    "the kernel refused membarrier, perhaps because of a seccomp filter: the replaced or killed object \
     leaks; allow membarrier, or run with GLIBC_TUNABLES=glibc.pthread.rseq=0\n",
    "get or put on a count that was never initialised: call kref_init() first\n",
    "kref_pool_publish of an object whose count was touched since kref_pool_alloc: do not call kref_init(), and \
     do not assign or clear the whole object\n",
    "kref_pool_free of an object that is alive, free already, or not of this pool: nothing was freed\n",
    "kref_pool_destroy while objects are alive: nothing was freed\n",
);

fn meaning(kind: ViolationKind) -> &'static [u8] {
    let mut meanings = MEANINGS.as_bytes();
    for _ in 1..kind as u8 {
        take_until(&mut meanings, b'\n');
    }
    take_until(&mut meanings, b'\n')
}

fn describe(line: &mut Line, violation: &Violation) {
    line.foreign(meaning(violation.kind)).text(" (");
    if !violation.count.is_null() {
        line.text("count at ").hex(violation.count as usize).text(", ");
    }
    line.text("called from ");
    if let Some(location) = violation.location {
        line.foreign(location.file().as_bytes()).text(":").decimal(location.line());
    } else if violation.caller.is_null() {
        line.text("an unknown place");
    } else {
        place::describe(line, violation.caller as usize);
        if let Some(outer) = place::return_address(violation.frame as usize) {
            line.text(", perhaps from ");
            place::describe(line, outer);
        }
    }
    line.text(")");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Novelty {
    New,
    Known,
    Full,
}

/// A hash table of the kinds and callers for which a line was written. Relaxed everywhere: an entry is
/// one word, and no other data depends on it.
struct Seen {
    entries: [AtomicUsize; Self::CAPACITY],
    full: AtomicUsize,
}

static SEEN: Seen =
    Seen { entries: [const { AtomicUsize::new(0) }; Seen::CAPACITY], full: AtomicUsize::new(0) };

impl Seen {
    const CAPACITY: usize = 1024;
    const PROBES: usize = 64;

    fn insert(&self, violation: &Violation) -> Novelty {
        let caller = match violation.location {
            Some(location) => core::ptr::from_ref(location).addr(),
            None => violation.caller.addr(),
        };
        if caller == 0 {
            return Novelty::New; // an unknown caller
        }
        // A rotation, because 32-bit processes use the high bits of an address. A kind is not 0. The module's
        // number tells two places apart whose modules had one address, one after the other. A key of 0, which
        // stands for an empty entry, would be reported each time.
        let key = caller.rotate_left(4) ^ violation.kind as usize ^ module::number(caller);
        // Fibonacci hashing: the product's high bits depend on all bits of the key.
        let start = ((key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        for probe in 0..Self::PROBES {
            let place = start.wrapping_add(probe) % Self::CAPACITY;
            let Some(entry) = self.entries.get(place) else { break };
            match entry.compare_exchange(0, key, Relaxed, Relaxed) {
                Ok(_) => return Novelty::New,
                Err(found) if found == key => return Novelty::Known,
                Err(_) => {}
            }
        }
        if self.full.swap(1, Relaxed) == 0 { Novelty::Full } else { Novelty::Known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_meaning() {
        use ViolationKind::*;
        for (kind, begins) in [
            (GetOnZero, "get on a count of zero"),
            (Overflow, "overflow"),
            (PutOnZero, "put on a count of zero"),
            (DecToZero, "dec that reached zero"),
            (Saturated, "use of a saturated count"),
            (LockFailed, "the lock cannot be taken"),
            (KilledTwice, "second percpu_ref_kill"),
            (ExitWhileAlive, "percpu_ref_exit while"),
            (BadReinit, "percpu_ref_resurrect, reinit or"),
            (NotFenced, "the kernel refused membarrier"),
            (NeverInitialised, "get or put on a count that was never initialised"),
            (BadPublish, "kref_pool_publish"),
            (BadFree, "kref_pool_free"),
            (PoolAlive, "kref_pool_destroy"),
        ] {
            assert!(meaning(kind).starts_with(begins.as_bytes()), "{begins}");
        }
        assert_eq!(MEANINGS.lines().count(), PoolAlive as usize);
    }
}

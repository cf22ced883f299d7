//! The default violation handler: one line on standard error for each kind and caller, the first
//! time. Then `KREF_OPTIONS` may ask for an abort.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{module, place};
use crate::kind::{Report, Violation};
use crate::options::{OnViolation, on_violation};
use crate::sys::errno;
use crate::sys::line::Line;

pub(super) fn warn(report: &Report) {
    let mode = on_violation();
    if mode == OnViolation::Quiet {
        return;
    }
    errno::preserved(|| match SEEN.insert(report) {
        Novelty::New => describe(report).write(),
        Novelty::Full => {
            Line::new().text("too many places misuse a count: new places are not reported").write();
        }
        Novelty::Known => {}
    });
    if mode == OnViolation::Abort {
        // SAFETY: abort may always be called.
        unsafe { libc::abort() };
    }
}

/// What happened, and what follows from it.
fn meaning(kind: Violation) -> &'static str {
    match kind {
        Violation::GetOnZero => "get on a count of zero: the object is already being released",
        Violation::Overflow => {
            "overflow: more references than a count can hold, or a negative number; the object leaks"
        }
        Violation::PutOnZero => {
            "put on a count of zero: more references given back than taken, or a negative number"
        }
        Violation::NeverInitialised => {
            "get or put on a count that was never initialised: call kref_init() first"
        }
        Violation::DecToZero => {
            "dec that reached zero: the last reference is gone and nobody released the object"
        }
        Violation::Saturated => {
            "use of a saturated count: an earlier misuse or memory that is no count; the object leaks"
        }
        Violation::KilledTwice => {
            "percpu_ref_kill on a reference that is dying: the initial reference is gone already"
        }
        Violation::ExitWhileAlive => {
            "percpu_ref_exit while references are held: nothing is freed, and the counters leak"
        }
        Violation::BadReinit => {
            "a percpu reference that is alive, held or not ALLOW_REINIT cannot begin anew so"
        }
        Violation::NotFenced => {
            "membarrier was refused, by a seccomp filter perhaps: the object taken down leaks; allow \
             it, or run with GLIBC_TUNABLES=glibc.pthread.rseq=0"
        }
        Violation::LockFailed => "the lock cannot be taken: nothing was looked up or given back",
    }
}

fn describe(report: &Report) -> Line {
    let mut line = Line::new();
    line.text(meaning(report.kind)).text(" (");
    if !report.count.is_null() {
        line.text("count at ").hex(report.count as usize).text(", ");
    }
    line.text("called from ");
    if let Some(location) = report.location {
        line.foreign(location.file().as_bytes()).text(":").decimal(location.line());
    } else if report.caller.is_null() {
        line.text("an unknown place");
    } else {
        place::describe(&mut line, report.caller as usize);
        if let Some(outer) = place::return_address(report.frame as usize) {
            line.text(", from ");
            place::describe(&mut line, outer);
        }
    }
    line.text(")");
    line
}

enum Novelty {
    New,
    Known,
    Full,
}

/// The kinds and callers of the lines that were written. Relaxed throughout: an entry is one word.
struct Seen {
    entries: [AtomicUsize; Self::CAPACITY],
    full: AtomicUsize,
}

static SEEN: Seen =
    Seen { entries: [const { AtomicUsize::new(0) }; Seen::CAPACITY], full: AtomicUsize::new(0) };

impl Seen {
    const CAPACITY: usize = 1024;
    const PROBES: usize = 64;

    fn insert(&self, report: &Report) -> Novelty {
        let caller = match report.location {
            Some(location) => core::ptr::from_ref(location).addr(),
            None => report.caller.addr(),
        };
        if caller == 0 {
            return Novelty::New; // two unknown callers may be two places
        }
        // The shift loses no bit: the high bits of an address are unused. The module's number keeps two
        // places apart whose modules had one address in turn. (A key of 0 would be new each time.)
        let key = (caller << 4 | report.kind as usize) ^ module::number(caller);
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

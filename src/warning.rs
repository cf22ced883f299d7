//! The default violation handler: a line to standard error for each kind and calling address, the
//! first time; then whatever `KREF_OPTIONS` says.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::line::{Line, errno};
use crate::options::{OnViolation, on_violation};
use crate::place;
use crate::violation::{Report, Violation};

pub(crate) fn warn(report: &Report) {
    let mode = on_violation();
    if mode == OnViolation::Quiet {
        return;
    }
    let saved = errno::get();
    match SEEN.insert(report.caller as usize, report.kind) {
        Novelty::New => describe(report).write(),
        Novelty::Full => {
            Line::new().text("too many places misuse a count: new ones are no longer told").write();
        }
        Novelty::Known => {}
    }
    errno::set(saved);
    if mode == OnViolation::Abort {
        // SAFETY: abort may always be called.
        unsafe { libc::abort() };
    }
}

/// What happened, and what it means.
fn meaning(kind: Violation) -> &'static str {
    match kind {
        Violation::GetOnZero => "get on a count of zero: the object is already being freed",
        Violation::Overflow => {
            "overflow: more references than a count can hold, or a negative number; the object leaks"
        }
        Violation::PutOnZero => {
            "put on a count of zero: more references given back than taken, or a negative number"
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
    if report.caller.is_null() {
        line.text("an unknown place");
    } else {
        // The last byte of the call: the line is the call's, and not the next one's.
        place::describe(&mut line, (report.caller as usize).wrapping_sub(1));
    }
    line.text(")");
    line
}

enum Novelty {
    New,
    Known,
    Full,
}

/// The kinds and addresses that were told. Relaxed throughout: each entry is a whole in itself.
struct Seen {
    entries: [AtomicUsize; Self::CAPACITY],
    full: AtomicUsize,
}

static SEEN: Seen =
    Seen { entries: [const { AtomicUsize::new(0) }; Seen::CAPACITY], full: AtomicUsize::new(0) };

impl Seen {
    const CAPACITY: usize = 1024;
    const PROBES: usize = 64;

    fn insert(&self, caller: usize, kind: Violation) -> Novelty {
        // Addresses have unused high bits, and a kind is never 0: neither is a key.
        let key = caller << 4 | kind as usize;
        // Fibonacci hashing: the product's high bits depend on all of the key.
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

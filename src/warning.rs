//! The default violation handler: a line to standard error for each kind and calling address, the
//! first time; then whatever `KREF_OPTIONS` says.

use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::line::Line;
use crate::options::{OnViolation, on_violation};
use crate::violation::{Report, Violation};

pub(crate) fn warn(report: &Report) {
    let mode = on_violation();
    if mode == OnViolation::Quiet {
        return;
    }
    match SEEN.insert(report.caller as usize, report.kind) {
        Novelty::New => describe(report).write(),
        Novelty::Full => {
            Line::new().text("too many places misuse a count: new ones are no longer told").write();
        }
        Novelty::Known => {}
    }
    if mode == OnViolation::Abort {
        // SAFETY: abort may always be called.
        unsafe { libc::abort() };
    }
}

/// What happened, and what it means.
fn meaning(kind: Violation) -> &'static str {
    match kind {
        Violation::GetOnZero => "get on a count of zero: the object is already being freed",
        Violation::Overflow => "overflow: more references than a count can hold; the object leaks",
        Violation::PutOnZero => "put on a count of zero: more references given back than taken",
        Violation::DecToZero => {
            "dec that reached zero: the last reference is gone and nobody released the object"
        }
        Violation::Saturated => {
            "use of a saturated count: an earlier misuse or memory that is no count; the object leaks"
        }
        Violation::LockFailed => "the lock cannot be taken: nothing was looked up or given back",
    }
}

fn describe(report: &Report) -> Line {
    let mut line = Line::new();
    line.text(meaning(report.kind)).text(" (count at ").hex(report.count as usize);
    line.text(", called from ");
    if report.caller.is_null() {
        line.text("an unknown place");
    } else {
        place(&mut line, report.caller);
    }
    line.text(")");
    line
}

/// `module+offset` for a return address, in the form that `addr2line -e module offset` takes: the
/// last byte of the call, so that the line is the call's and not the next one's.
fn place(line: &mut Line, caller: *const c_void) {
    let call = (caller as usize).wrapping_sub(1);
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` reads nothing through the address and fills `info`. It takes the loader's
    // lock, which is recursive: a signal in the midst of dlopen does not hang.
    let known = unsafe { libc::dladdr(call as *const c_void, info.as_mut_ptr()) } != 0;
    // SAFETY: zeroed, or filled by dladdr: null pointers and numbers are valid in every field.
    let info = unsafe { info.assume_init() };
    if !known || info.dli_fname.is_null() || info.dli_fbase.is_null() {
        line.hex(call);
        return;
    }
    // SAFETY: dladdr gives a C string that lives as long as the module.
    line.c_string(unsafe { CStr::from_ptr(info.dli_fname) }).text("+");
    line.hex(call.wrapping_sub(load_bias(info.dli_fbase)));
}

/// What was added to a module's own addresses when it was loaded: nothing for a fixed-address
/// program, its base for everything else.
fn load_bias(base: *mut c_void) -> usize {
    const TYPE: usize = 16; // e_type's place in an ELF header
    const FIXED: u16 = 2; // ET_EXEC
    // SAFETY: dladdr says that a module begins at `base`, with its ELF header.
    let kind = unsafe { base.cast::<u8>().add(TYPE).cast::<u16>().read_unaligned() };
    if kind == FIXED { 0 } else { base as usize }
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
        let key = caller << 3 | kind as usize;
        let start = key.wrapping_mul(0x9e37_79b9) >> 8;
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

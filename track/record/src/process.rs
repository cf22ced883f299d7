//! The process: its number in the session, and the memory of its threads' states.
//!
//! The memory is marked with MADV_WIPEONFORK, so it is zero in a fork's child. So the child sees at its first event
//! that it is another process, however it was forked.

use core::ptr;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use wire::record::Kind;

use crate::filtered::Status;
use crate::own::Own;
use crate::thread::State;
use crate::{clock, processor, session, write};

/// The front of the memory.
#[repr(C, align(64))]
struct Front {
    /// The process's number in the session. 0: it has none yet.
    number: AtomicU32,
    /// The states that were given out for the first time.
    given: AtomicU32,
    /// The first of the states that threads have left, plus 1 (low half), and a number that changes each time.
    idle: AtomicU64,
}

static FRONT: AtomicPtr<Front> = AtomicPtr::new(ptr::null_mut());
/// How many states there is room for.
static ROOM: AtomicU32 = AtomicU32::new(0);
/// The number of this process, and in a fork's child that of its parent until it has its own.
static LAST: AtomicU32 = AtomicU32::new(0);
/// The distance of a thread's number, as the kernel knows it, from the thread pointer; 0 if it was not found.
static TID_OFFSET: AtomicU32 = AtomicU32::new(0);
/// The kernel's number of this process, as far as `find_tid` and `after_fork` know.
static PID: AtomicU32 = AtomicU32::new(0);
/// What the last record of a process has said.
static LAST_PID: AtomicU32 = AtomicU32::new(0);
/// Whether the kernel wipes the memory in a fork's child, however it was forked.
static IS_WIPED: AtomicBool = AtomicBool::new(false);
/// The first thread's thread pointer.
pub static FIRST_THREAD: AtomicU64 = AtomicU64::new(0);

/// Sizes of the memory that are tried: RLIMIT_AS may be small.
const SIZES: [usize; 4] = [2 << 20, 1 << 20, 256 << 10, 64 << 10];

fn front() -> Option<&'static Front> {
    // SAFETY: null, or mapped for good.
    unsafe { FRONT.load(Acquire).as_ref() }
}

/// This process's number, or 0 if it has none yet.
#[inline]
pub fn number() -> u32 {
    front().map_or(0, |front| front.number.load(Relaxed))
}

/// Whether a ring may belong to a thread. A fork's child that does not know that it is another process would take
/// words of its parent's ring.
pub fn may_own() -> bool {
    IS_WIPED.load(Relaxed)
}

/// Maps the memory. `filtered`: the process's numbers, if its system calls may be forbidden.
pub fn set_up(filtered: Option<Status>) -> bool {
    match filtered {
        Some(status) => find_tid(status.pid, status.tid),
        None => {
            // SAFETY: bare system calls.
            let (pid, tid) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
            find_tid(pid as u32, tid as u32);
        }
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    for size in SIZES {
        // SAFETY: new memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            continue;
        }
        // Without it a child is seen if it was forked by fork().
        if filtered.is_none() {
            // SAFETY: the memory above.
            let failed = unsafe { libc::madvise(start, size, libc::MADV_WIPEONFORK) };
            IS_WIPED.store(failed == 0, Relaxed);
        }
        let room = (size - size_of::<Front>()) / size_of::<State>();
        ROOM.store(room as u32, Relaxed);
        FRONT.store(start.cast(), Release);
        return true;
    }
    false
}

/// The judge sees the process by this number.
pub fn is_seen_as(pid: u32) {
    if pid != 0 {
        PID.store(pid, Relaxed);
    }
}

/// Gives the process its number, if it has none. Returns it, or 0 if nothing can be recorded.
#[cold]
pub fn begin(own: &Own) -> u32 {
    let (Some(front), Some(head)) = (front(), session::head()) else { return 0 };
    let known = front.number.load(Relaxed);
    if known != 0 {
        return known;
    }
    let number = loop {
        // A record has 16 bits for it.
        let number = head.processes.0.fetch_add(1, Relaxed) & 0xffff;
        if number != 0 {
            break number;
        }
    };
    let parent = LAST.load(Relaxed);
    let fork = own.fork.swap(0, Relaxed);
    let body = [0, clock::now(), 0, pid().into(), parent.into(), fork];
    write::plain(Kind::Process, number, &body);
    // A handler may have been here meanwhile. Then its number is the process's.
    match front.number.compare_exchange(0, number, Relaxed, Relaxed) {
        Ok(_) => {
            LAST.store(number, Relaxed);
            number
        }
        Err(other) => other,
    }
}

/// A state for a thread. `None`: all are taken.
pub fn take_state() -> Option<&'static State> {
    let front = front()?;
    let mut idle = front.idle.load(Acquire);
    while let Some(index) = (idle as u32).checked_sub(1) {
        let state = state(front, index)?;
        let next = (idle >> 32).wrapping_add(1) << 32 | u64::from(state.next.load(Relaxed));
        // Acquire: pairs with the release in `leave_state`.
        match front.idle.compare_exchange(idle, next, Acquire, Acquire) {
            Ok(_) => return Some(state),
            Err(now) => idle = now,
        }
    }
    let room = ROOM.load(Relaxed);
    if front.given.load(Relaxed) >= room {
        return None;
    }
    state(front, front.given.fetch_add(1, Relaxed))
}

/// Gives a state back, whose thread has ended.
pub fn leave_state(left: &'static State) {
    let Some(front) = front() else { return };
    let first = state_at(front, 0) as usize;
    let index = (&raw const *left as usize).wrapping_sub(first) / size_of::<State>();
    let mut idle = front.idle.load(Relaxed);
    loop {
        left.next.store(idle as u32, Relaxed);
        let next = (idle >> 32).wrapping_add(1) << 32 | (index as u64 + 1);
        // Release: pairs with the acquire in `take_state`.
        match front.idle.compare_exchange(idle, next, AcqRel, Relaxed) {
            Ok(_) => return,
            Err(now) => idle = now,
        }
    }
}

fn state_at(front: &Front, index: u32) -> *const State {
    (&raw const *front).wrapping_add(1).cast::<State>().wrapping_add(index as usize)
}

fn state(front: &'static Front, index: u32) -> Option<&'static State> {
    // SAFETY: within the memory, which stays mapped. All members are atomics, and may be zero.
    (index < ROOM.load(Relaxed)).then(|| unsafe { &*state_at(front, index) })
}

/// Finds where the C library keeps a thread's number, so that nobody has to ask the kernel later: some seccomp
/// filters kill for that. In the first thread the number is the process's.
fn find_tid(pid: u32, tid: u32) {
    PID.store(pid, Relaxed);
    if pid != tid {
        return;
    }
    FIRST_THREAD.store(processor::thread_pointer() as u64, Relaxed);
    // The small numbers of a container's first processes are everywhere.
    let found = |offset: &usize| pid > 9 && tid_at(*offset) == pid;
    if let Some(offset) = (16..processor::DESCRIPTOR).step_by(4).find(found) {
        TID_OFFSET.store(offset as u32, Relaxed);
    }
}

fn tid_at(offset: usize) -> u32 {
    let place = processor::in_descriptor(offset) as *const u32;
    // SAFETY: the offset is less than the size of the descriptor.
    unsafe { place.read_volatile() }
}

/// The kernel's number of this thread, or 0.
pub fn tid() -> u32 {
    match TID_OFFSET.load(Relaxed) {
        0 => 0,
        offset => tid_at(offset as usize),
    }
}

/// In a fork's child, in the thread that forked.
pub fn after_fork() {
    let pid = match tid() {
        // SAFETY: a bare system call.
        0 => unsafe { libc::getpid() as u32 },
        number => number,
    };
    PID.store(pid, Relaxed);
    // An emulator may not have wiped the memory.
    if let Some(front) = front() {
        front.number.store(0, Relaxed);
        front.given.store(0, Relaxed);
        front.idle.store(0, Relaxed);
    }
}

/// The kernel's number of this process.
fn pid() -> u32 {
    let pid = PID.load(Relaxed);
    if pid != LAST_PID.swap(pid, Relaxed) {
        return pid;
    }
    // A fork that did not call `after_fork`.
    // SAFETY: a bare system call.
    let pid = unsafe { libc::getpid() as u32 };
    PID.store(pid, Relaxed);
    LAST_PID.store(pid, Relaxed);
    pid
}

//! The first page of the shared memory.

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use crate::record::Kind;

/// "kref" and the version of this layout.
pub const MAGIC: u64 = u64::from_le_bytes(*b"kref\x02\0\0\0");
/// The bytes of the first page. The answer follows it.
pub const HEAD_BYTES: usize = 4096;

/// Options of the judge that change what the recorder does.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Frames of a stack, at most [`MOST_FRAMES`](crate::record::MOST_FRAMES).
    pub depth: u32,
    /// N of sample=1/N: one object in N is tracked.
    pub sample: u32,
    /// A sum of [`CHAOS`], [`LOSSY`], [`KEEP_FREED`], [`STALE_HANDLES`] and [`DONE`].
    pub flags: u32,
    /// The exit status when something was found; 0 leaves the program's own.
    pub exit_code: u32,
    /// The seed for [`CHAOS`].
    pub seed: u64,
    /// The signal at which the program asks for a report, or 0.
    pub signal: u32,
    /// The seccomp filters of the judge's own process. A program that has more is under a filter of its own.
    pub filters: u32,
}

/// Delay threads around gets and puts.
pub const CHAOS: u32 = 1;
/// A full ring drops records. Otherwise the thread waits for the judge.
pub const LOSSY: u32 = 2;
/// What a release function frees is kept for a while.
pub const KEEP_FREED: u32 = 4;
/// Lookups by handle that find no object are recorded.
pub const STALE_HANDLES: u32 = 8;
/// The end of a put is recorded ([`Done`](crate::record::Kind::Done)).
pub const DONE: u32 = 16;

/// A value in a cache line of its own.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Line<T>(pub T);

/// The first page.
#[repr(C)]
#[derive(Debug)]
pub struct Head {
    /// [`MAGIC`]. Written last by the judge.
    pub magic: AtomicU64,
    /// The number of rings.
    pub rings: u32,
    /// The size of each ring's part of the memory, with what stands in front of its words.
    pub ring_bytes: u32,
    /// The size of the answer's part: a multiple of 4096.
    pub answer_bytes: u32,
    /// The judge's process.
    pub judge: u32,
    /// What the judge's user asked for.
    pub settings: Settings,
    /// The number of the next event. Each event takes one number, so the judge sees that one is missing.
    pub sequence: Line<AtomicU64>,
    /// Changes each time that the judge looks into the rings.
    pub beat: Line<AtomicU32>,
    /// A robust mutex that the judge holds as long as it lives. Its first word is a futex: see [`Head::life`].
    pub mutex: Line<[AtomicU32; 16]>,
    /// The number of the next process. Numbers begin at 1.
    pub processes: Line<AtomicU32>,
    /// The number of the next thread.
    pub threads: AtomicU32,
    /// The number of the next stack.
    pub stacks: AtomicU32,
    /// The number of the next module.
    pub modules: AtomicU32,
    /// The number of the next request.
    pub requests: AtomicU32,
    /// The requests that are answered now: one for a text, which has the answer's part of the memory, and one that is
    /// answered without a text. So no process that begins or ends waits until another has written its report.
    pub desks: [Desk; 2],
    /// The bytes of the answer.
    pub answer_length: AtomicU32,
    /// What was found in the process that asks at the desk without a text: the reports of misuse and of leaks. Set before the answer to
    /// an [`Exit`](crate::record::Kind::Exit). For an [`Ends`](crate::record::Kind::Ends), the references that were left
    /// behind.
    pub found: AtomicU32,
    /// Records for which there was no room.
    pub dropped: AtomicU64,
}

/// Where one request at a time is answered.
#[repr(C)]
#[derive(Debug)]
pub struct Desk {
    /// The request's number, or 0. A recorder takes it from 0 to its own number.
    pub asking: AtomicU32,
    /// What the judge says of the request: 0 while it works, then [`ANSWERED`] and perhaps [`MORE`].
    pub answered: AtomicU32,
}

/// The desk for a text.
pub const WITH_TEXT: usize = 0;
/// The desk without a text.
pub const WITHOUT_TEXT: usize = 1;

/// The index of the desk at which a request is answered.
pub fn desk_of(kind: Kind) -> usize {
    if kind == Kind::Report { WITH_TEXT } else { WITHOUT_TEXT }
}

/// The answer is complete, or a part of it is ([`MORE`]).
pub const ANSWERED: u32 = 1;
/// A further part follows when the recorder has set `answered` to 0 again.
pub const MORE: u32 = 2;

/// What is known of the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It lives, perhaps stopped, or slow on a busy machine.
    Alive,
    /// It has ended.
    Dead,
    /// The kernel does not tell.
    Unknown,
}

impl Head {
    /// Whether the judge lives. The kernel sets the futex's bit when the judge ends, however it ends.
    pub fn life(&self) -> Life {
        const OWNER_DIED: u32 = 0x4000_0000; // FUTEX_OWNER_DIED
        match self.mutex.0[0].load(Relaxed) {
            0 => Life::Unknown,
            futex if futex & OWNER_DIED != 0 => Life::Dead,
            _ => Life::Alive,
        }
    }

    /// Lets go of a request, if it is at a desk. Two requests never have one number.
    pub fn let_go(&self, request: u32) {
        for desk in self.desks.iter().filter(|_| request != 0) {
            // Release: pairs with the acquire of the request that comes next.
            let _ = desk.asking.compare_exchange(request, 0, Release, Relaxed);
        }
    }

    /// Where the answer's part is, from the start of the memory.
    pub const fn answer_at() -> usize {
        HEAD_BYTES
    }

    /// Where a ring is, from the start of the memory.
    pub const fn ring_at(&self, ring: usize) -> usize {
        HEAD_BYTES + self.answer_bytes as usize + ring * self.ring_bytes as usize
    }
}

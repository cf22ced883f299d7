//! A ring of records.
//!
//! Several threads write, and their signal handlers, and several processes. The judge alone reads. A writer takes
//! words at the head with a compare-and-exchange, marks them as unfinished, fills them in, and stores the record's
//! first word last, with release. A record may go over the end of the ring and continue at its beginning.
//!
//! ```text
//!        tail                                   head
//!  .......| First | body ... | First | body ...  |........
//!   free     finished            unfinished         free
//! ```
//!
//! A ring may belong to one thread ([`Ring::claim`]). On x86-64 that thread moves the head without a locked instruction.
//! A signal handler of the thread comes before such an instruction or after it, as for a locked one.
//!
//! The first word has the record's own position, so that the reader does not take an old record for a new one. The
//! head has the number of the thread that has moved the head last. So a thread can say whether an interrupted
//! `take` has succeeded: a signal handler that jumps out of the recorder leaves such a `take` behind.

mod reader;

pub use reader::{Next, Reader};

use crate::head::Line;
use crate::record::{Kind, MOST_WORDS};
use crate::sync::{
    AtomicU64, Ordering,
    Ordering::{Acquire, Relaxed, Release},
};

/// What stands in front of a ring's words: the head, the tail, a copy of the tail, and the owner.
#[repr(C)]
#[derive(Debug)]
pub struct Positions {
    taking: Line<Taking>,
    /// The words that the judge has read.
    tail: Line<AtomicU64>,
}

#[repr(C)]
#[derive(Debug)]
struct Taking {
    /// The words that were taken since the beginning, times 2^16, and the low bits of the number of the thread
    /// that has taken the last of them.
    head: AtomicU64,
    /// A tail that a writer has seen. So not every writer takes the line of the tail from the judge.
    seen_tail: AtomicU64,
    /// The thread that the ring belongs to: its process's number (high half) and its own. 0: nobody.
    owner: AtomicU64,
}

/// Who takes words of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Any thread.
    All,
    /// The calling thread alone, which has claimed the ring.
    One,
}

/// The outcome of [`Ring::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The position of the words.
    At(u64),
    /// The ring has no room now.
    NoRoom,
    /// Nothing was taken: the caller wants none any more, or a signal handler has moved the head of the thread's ring.
    Nothing,
}

/// A ring in the shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Ring<'a> {
    positions: &'a Positions,
    words: &'a [AtomicU64],
}

/// A record's first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// What the record says.
    pub kind: u8,
    /// The length of the record in words, this one included.
    pub length: u8,
    /// The process. In an unfinished record, the low bits of the thread's number.
    pub process: u16,
}

/// The kind of a record that its writer has not finished.
const UNFINISHED: u8 = u8::MAX;

impl First {
    fn word(self, position: u64) -> u64 {
        u64::from(position as u32)
            | u64::from(self.kind) << 32
            | u64::from(self.length) << 40
            | u64::from(self.process) << 48
    }

    fn of(word: u64, position: u64) -> Option<Self> {
        let first = Self {
            kind: (word >> 32) as u8,
            length: (word >> 40) as u8,
            process: (word >> 48) as u16,
        };
        let lengths = 1..=1 + MOST_WORDS;
        // A kind is never 0, so a word of zeros is no record.
        (word as u32 == position as u32
            && first.kind != 0
            && lengths.contains(&usize::from(first.length)))
        .then_some(first)
    }
}

impl<'a> Ring<'a> {
    /// The ring at `start`, with `bytes` for the positions and the words. `None` if they have no room for the
    /// longest record.
    ///
    /// # Safety
    /// The memory is mapped for `'a`, aligned to a cache line, and was zero at first. All who access it do so by
    /// this type.
    #[cfg(not(loom))]
    pub unsafe fn at(start: *mut u8, bytes: usize) -> Option<Self> {
        let words = bytes.checked_sub(size_of::<Positions>())? / 8;
        // A power of two, so that a position's word is a mask.
        let words = 1 << words.checked_ilog2()?;
        // SAFETY: as promised. Zeros are positions and words.
        let (positions, words) = unsafe {
            let first = start.add(size_of::<Positions>()).cast::<AtomicU64>();
            (&*start.cast::<Positions>(), core::slice::from_raw_parts(first, words))
        };
        Self::of(positions, words)
    }

    #[cfg_attr(all(loom, not(test)), expect(dead_code, reason = "models make their rings so"))]
    fn of(positions: &'a Positions, words: &'a [AtomicU64]) -> Option<Self> {
        let enough = words.len().is_power_of_two() && (words.len() > MOST_WORDS || cfg!(loom));
        enough.then_some(Self { positions, words })
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        let place = position as usize & (self.words.len() - 1);
        // SAFETY: `of` has seen that the length is a power of two, so the masked position is less.
        unsafe { self.words.get_unchecked(place) }
    }

    /// Writes a record. `false` if the ring has no room for it now.
    pub fn write(&self, kind: Kind, process: u16, body: &[u64]) -> bool {
        let length = 1 + body.len() as u8;
        let Taken::At(position) = self.take(length, 0, Writers::All, |_| true) else {
            return false;
        };
        self.mark(position, length, 0);
        for (word, at) in body.iter().zip(0..) {
            self.fill(position, at, *word);
        }
        self.finish(position, First { kind: kind as u8, length, process });
        true
    }

    /// Makes the ring a thread's, if it is nobody's.
    pub fn claim(&self, process: u32, thread: u32) -> bool {
        let owner = u64::from(process) << 32 | u64::from(thread);
        // Acquire: pairs with the release in `let_go`. What the last owner has taken is taken.
        self.positions.taking.0.owner.compare_exchange(0, owner, Acquire, Relaxed).is_ok()
    }

    /// Makes the ring nobody's, if it belongs to this thread or, without a thread, to any thread of the process. The
    /// thread takes no more words.
    pub fn let_go(&self, process: u32, thread: Option<u32>) {
        let place = &self.positions.taking.0.owner;
        let owner = place.load(Relaxed);
        if (owner >> 32) as u32 == process && thread.is_none_or(|thread| thread == owner as u32) {
            // Release: pairs with the acquire in `claim`.
            let _ = place.compare_exchange(owner, 0, Release, Relaxed);
        }
    }

    /// Takes words at the head, for `thread`. Calls `about_to` with a position before it tries to take this position;
    /// if the answer is `false`, nothing is taken.
    #[inline(always)]
    pub fn take(
        &self,
        length: u8,
        thread: u16,
        writers: Writers,
        mut about_to: impl FnMut(u64) -> bool,
    ) -> Taken {
        let Taking { head, seen_tail, .. } = &self.positions.taking.0;
        let mut now = head.load(Relaxed);
        loop {
            let position = now >> 16;
            let next = position + u64::from(length);
            // Acquire: pairs with the release in `is_full`, which passes on that of the judge.
            if self.is_over(next, seen_tail.load(Acquire)) && self.is_full(next) {
                return Taken::NoRoom;
            }
            if !about_to(position) {
                return Taken::Nothing;
            }
            let next = next << 16 | u64::from(thread);
            match writers {
                Writers::One if exchange(head, now, next, Relaxed) => return Taken::At(position),
                Writers::One => return Taken::Nothing,
                Writers::All => match head.compare_exchange_weak(now, next, Relaxed, Relaxed) {
                    Ok(_) => return Taken::At(position),
                    Err(other) => now = other,
                },
            }
        }
    }

    /// Whether the words up to `next` are more than the ring has. `tail` may be newer than the head that `next`
    /// was computed from, so the difference may be negative.
    fn is_over(&self, next: u64, tail: u64) -> bool {
        next.wrapping_sub(tail) as i64 > self.words.len() as i64
    }

    #[cold]
    fn is_full(&self, next: u64) -> bool {
        // Acquire: pairs with the release in `Reader::give_back`. The judge has read what these words had.
        let tail = self.positions.tail.0.load(Acquire);
        // Release: pairs with the acquire in `take`.
        self.positions.taking.0.seen_tail.store(tail, Release);
        self.is_over(next, tail)
    }

    /// Whether there is room for a record.
    pub fn has_room(&self, length: u8) -> bool {
        let position = self.positions.taking.0.head.load(Relaxed) >> 16;
        !self.is_full(position + u64::from(length))
    }

    /// Whether `thread` has taken words at a position, marked or not. `false` if that is not
    /// certain, because other threads have taken words behind them.
    pub fn has_taken(&self, position: u64, length: u8, thread: u16) -> bool {
        let head = self.positions.taking.0.head.load(Relaxed);
        head == (position + u64::from(length)) << 16 | u64::from(thread)
            || self.is_unfinished(position, length, thread)
    }

    /// Whether the record at a position is one that `thread` has taken and not finished.
    pub fn is_unfinished(&self, position: u64, length: u8, thread: u16) -> bool {
        let first = First { kind: UNFINISHED, length, process: thread };
        self.word(position).load(Relaxed) == first.word(position)
    }

    /// Marks words that `thread` has taken as an unfinished record.
    #[inline]
    pub fn mark(&self, position: u64, length: u8, thread: u16) {
        let first = First { kind: UNFINISHED, length, process: thread };
        self.word(position).store(first.word(position), Relaxed);
    }

    /// Whether words that `thread` has taken are still nobody's record: neither finished nor given up, by a handler
    /// that has interrupted the thread, nor read.
    pub fn is_open(&self, position: u64, length: u8, thread: u16) -> bool {
        // Acquire: as in `is_full`. Words are taken again only after the tail has passed them.
        let tail = self.positions.tail.0.load(Acquire);
        tail <= position
            && (First::of(self.word(position).load(Relaxed), position).is_none()
                || self.is_unfinished(position, length, thread))
    }

    /// Stores a word of the body of a record that was taken and is not finished.
    #[inline]
    pub fn fill(&self, position: u64, index: u64, word: u64) {
        self.word(position + 1 + index).store(word, Relaxed);
    }

    /// Asks the processor for the line of a record to come. The judge has read that line, so it is in the cache of
    /// another core.
    #[inline(always)]
    pub fn prepare(&self, position: u64) {
        const AHEAD: u64 = 32;
        // x86-64's `prefetchw` takes the line for writing. A processor that has no such instruction does nothing.
        #[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
        // SAFETY: the instruction reads and writes nothing.
        unsafe {
            let word = self.word(position + AHEAD).as_ptr();
            core::arch::asm!("prefetchw [{}]", in(reg) word, options(nostack, preserves_flags));
        }
        #[cfg(not(all(target_arch = "x86_64", not(any(loom, miri)))))]
        let _ = position + AHEAD;
    }

    /// Finishes a record that `thread` has marked. `false`: a signal handler of the thread has given the record up.
    #[inline(always)]
    pub fn finish_marked(&self, position: u64, thread: u16, first: First) -> bool {
        let marked = First { kind: UNFINISHED, process: thread, ..first };
        // Release: pairs with the acquire in `Reader::first`.
        exchange(self.word(position), marked.word(position), first.word(position), Release)
    }

    /// Finishes a record that was taken.
    #[inline]
    pub fn finish(&self, position: u64, first: First) {
        // Release: pairs with the acquire in `Reader::first`.
        self.word(position).store(first.word(position), Release);
    }
}

/// A compare-and-exchange of a word that one thread changes, and its signal handlers. On x86-64 each store releases.
#[inline(always)]
#[cfg_attr(all(target_arch = "x86_64", not(any(loom, miri))), expect(unused_variables))]
fn exchange(word: &AtomicU64, old: u64, new: u64, order: Ordering) -> bool {
    #[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
    {
        let is_done: u8;
        // SAFETY: an aligned word that stays. No other thread changes the word, so the instruction need not be locked.
        unsafe {
            core::arch::asm!(
                "cmpxchg [{word}], {new}",
                "sete {is_done}",
                word = in(reg) word.as_ptr(),
                new = in(reg) new,
                is_done = lateout(reg_byte) is_done,
                inout("rax") old => _,
                options(nostack),
            );
        }
        is_done != 0
    }
    // In a model the load and the store are two steps. So the model shows the error of a new owner that does not see
    // the head which the last owner stored.
    #[cfg(loom)]
    {
        let is_done = word.load(Relaxed) == old;
        if is_done {
            word.store(new, order);
        }
        is_done
    }
    #[cfg(not(any(loom, all(target_arch = "x86_64", not(miri)))))]
    word.compare_exchange(old, new, order, Relaxed).is_ok()
}

#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(all(test, loom))]
mod models;

//! What each thread has of its own, and the mark that it is inside the recorder.
//!
//! A signal handler may get or put while its thread is in here. Such a call has a level of its own. A handler may
//! also leave the recorder for good, with siglongjmp(). The next call sees that by the addresses of the frames:
//!
//! ```text
//!   main     main          main          main
//!   got      got           work          work
//!            handler       got           got     level 0, abandoned: the frame of level 1 is not below it
//!            got  level 1                        the frame of this call
//! ```
//!
//! Frames on different stacks tell less: the comparison may be wrong for coroutines. So a level that was taken over notices that
//! ([`Guard::is_valid`]), and writes its record anew.

mod guard;

use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use wire::record::Kind;

#[cfg(not(test))]
use crate::kept;
use crate::own::{Own, own};
use crate::walks::Walks;
use crate::write::{self, Journal};
use crate::{clock, process, session, stack, thread_end};

pub use guard::Guard;

/// Handlers that interrupt each other deeper than that walk one frame, and have no journal.
const LEVELS: u32 = 3;

/// A thread's own. Only that thread uses it, and its signal handlers. Zeros: not begun.
#[repr(C, align(64))]
pub struct State {
    /// How many calls of the recorder this thread is in.
    level: AtomicU32,
    /// The next of the idle states.
    pub next: AtomicU32,
    levels: [Level; LEVELS as usize],
    /// The lowest address of the thread's stack that is known to be readable, as are all above it. 0: none is.
    pub readable: AtomicU64,
    /// The lowest page above a foreign stack that was found unreadable.
    pub barrier: AtomicU64,
    /// The object and the stack of the put that this thread is in: the release comes from there.
    pub last_put: (AtomicU64, AtomicU32),
    /// The steps of chaos.
    pub step: AtomicU64,
    /// The request for whose answer this thread waits (low half; 0: none), and the depth of the call that asks.
    asks: AtomicU64,
    /// Memory that was freed after its release.
    #[cfg(not(test))]
    pub kept: kept::Few,
    /// Walks that were done before.
    pub walks: Walks,
}

/// A call of the recorder.
pub struct Level {
    /// The address of its entry's frame.
    frame: AtomicU64,
    /// Changes with each call. The high half is the thread's number.
    epoch: AtomicU64,
    /// The record that the call writes.
    pub journal: Journal,
}

/// Enters the recorder, from an entry with this frame. `None`: nothing can be recorded.
pub fn enter(frame: u64) -> Option<Guard> {
    let mut guard = Guard::outside();
    guard.enter(frame).then_some(guard)
}

/// The thread ends. Gives up the records and the request of calls that it was in: it may have ended in a handler that
/// has interrupted them, or was cancelled.
pub fn end(own: &Own) {
    // SAFETY: null, or a state of this thread, which stays mapped.
    if let Some(state) = unsafe { own.state.load(Relaxed).as_ref() } {
        state.end(&Guard::new(own));
    }
}

/// Whether this thread was here before, in this process.
#[inline]
pub fn is_known() -> bool {
    let process = process::number();
    process != 0 && own().process.load(Relaxed) == process
}

impl State {
    #[inline(always)]
    fn enter(&'static self, frame: u64, guard: &mut Guard) {
        guard.state = Some(self);
        let inside = self.level.load(Relaxed);
        let level = if inside == 0 { 0 } else { self.first_abandoned(inside, frame, guard) };
        let Some(place) = self.levels.get(level as usize) else { return };
        place.frame.store(frame, Relaxed);
        let epoch = place.epoch.load(Relaxed) + 1;
        place.epoch.store(epoch, Relaxed);
        self.level.store(level + 1, Relaxed);
        (guard.level, guard.depth, guard.epoch) = (Some(place), level, epoch);
        if level < inside {
            self.repair(level, inside, guard);
        }
    }

    /// The first level whose call is over, because its frame is not above this one; or the next free level.
    #[cold]
    fn first_abandoned(&self, inside: u32, frame: u64, guard: &Guard) -> u32 {
        self.levels.iter().take(inside as usize).for_each(|level| level.journal.mark(guard));
        let mut levels = self.levels.iter().take(inside as usize);
        let abandoned = levels.position(|level| self.is_over(level.frame.load(Relaxed), frame));
        abandoned.map_or(inside, |level| level as u32)
    }

    /// Whether a call with one frame is over, because there is a call with the other one.
    fn is_over(&self, before: u64, now: u64) -> bool {
        /// Two frames of which nobody knows the stack are in one if they are as close as this.
        const NEAR: u64 = 64 << 10;
        match [before, now].map(|frame| stack::is_of_thread(frame, self)) {
            [true, true] => before <= now,
            // The handler runs on a stack of its own.
            [true, false] => false,
            // The handler has jumped back to the thread's stack.
            [false, true] => true,
            [false, false] => before <= now && now - before < NEAR,
        }
    }

    #[cold]
    fn repair(&self, from: u32, to: u32, guard: &Guard) {
        for level in self.levels.iter().take(to as usize).skip(from as usize + 1) {
            level.epoch.fetch_add(1, Relaxed);
        }
        for level in self.levels.iter().take(to as usize).skip(from as usize) {
            level.journal.repair(guard);
        }
        self.abandon_request(from);
    }

    /// Makes the state this thread's.
    fn adopt(&self, number: u32) {
        self.level.store(0, Relaxed);
        for level in &self.levels {
            level.epoch.store(u64::from(number) << 32, Relaxed);
            level.journal.reset();
        }
        self.readable.store(0, Relaxed);
        self.barrier.store(0, Relaxed);
        self.last_put.0.store(0, Relaxed);
        self.step.store(0, Relaxed);
        self.asks.store(0, Relaxed);
        self.walks.clear();
    }

    /// The call of `guard` asks. `false`: a call that it has interrupted waits for an answer already.
    pub fn begin_request(&self, number: u32, guard: &Guard) -> bool {
        if guard.level.is_some() {
            self.abandon_request(guard.depth);
        }
        let asks = u64::from(guard.depth) << 32 | u64::from(number);
        self.asks.compare_exchange(0, asks, Relaxed, Relaxed).is_ok()
    }

    /// The call that has asked asks no more.
    pub fn end_request(&self, number: u32) {
        let asks = self.asks.load(Relaxed);
        if asks as u32 == number {
            let _ = self.asks.compare_exchange(asks, 0, Relaxed, Relaxed);
        }
    }

    /// Lets go of a request of a call that is over: calls of this depth and deeper are.
    #[cold]
    fn abandon_request(&self, depth: u32) {
        let asks = self.asks.load(Relaxed);
        if asks != 0
            && (asks >> 32) as u32 >= depth
            && let Some(head) = session::head()
        {
            head.let_go(asks as u32);
            self.end_request(asks as u32);
        }
    }

    /// The thread ends, and so the calls are over that it is in.
    fn end(&self, guard: &Guard) {
        let inside = self.level.load(Relaxed);
        self.levels.iter().take(inside as usize).for_each(|level| level.journal.mark(guard));
        self.repair(0, inside, guard);
        self.level.store(0, Relaxed);
    }

    /// A put is over.
    pub fn end_put(&self) {
        self.last_put.0.store(0, Relaxed);
    }
}

/// This thread's first event in this process.
#[cold]
#[inline(never)]
fn begin(own: &Own) -> bool {
    let process = process::begin(own);
    let Some(head) = session::head().filter(|_| process != 0) else { return false };
    let number = loop {
        let number = head.threads.fetch_add(1, Relaxed);
        if number != 0 {
            break number;
        }
    };
    let body = [0, clock::now(), number.into(), 0, process::tid().into(), 0];
    write::plain(Kind::Thread, process, &body);
    let state = process::take_state();
    if let Some(state) = state {
        state.adopt(number);
    }
    if own.process.load(Relaxed) == process {
        // A handler has begun this thread meanwhile.
        if let Some(state) = state {
            process::leave_state(state);
        }
        return true;
    }
    let place = state.map_or(ptr::null_mut(), |state| ptr::from_ref(state).cast_mut());
    // Nobody would give back the ring of a thread whose end is not known here.
    let ring = if thread_end::expect(place) {
        session::claim(process, number)
    } else {
        session::ring_of(number)
    };
    // A handler that comes now finds the thread either not begun, and begins it as another, or begun.
    own.process.store(0, Relaxed);
    own.state.store(place, Relaxed);
    own.number.store(number, Relaxed);
    own.ring.store(ring, Relaxed);
    own.countdown.store(spread(number).checked_rem(head.settings.sample).unwrap_or(0), Relaxed);
    own.process.store(process, Relaxed);
    true
}

/// Turns the numbers 1, 2, 3 ... into numbers that lie far apart. The numbers of threads are small. Without this, the first
/// object that `sample=1/N` chooses would be one of the first in each thread.
fn spread(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9)
}

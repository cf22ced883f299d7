//! What each thread has of its own, and the mark that it is inside the tracker.
//!
//! A signal handler may get or put while its thread is in here, with a lock of ours held. Such an event
//! is not worked on: it goes into the thread's queue, with its stack, and the interrupted call takes it
//! up when it leaves. A handler that is interrupted by another handler finds the same.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    compiler_fence,
};

use crate::event::Queued;
use crate::known::Walks;
use crate::lock::Lock;
use crate::memory;
use crate::pointer;
use crate::processor::Cache;
use crate::queue::Queue;

/// Entries of a thread's memory of stacks and of scores.
pub const REMEMBERED: usize = 1024;

/// A thread's own. Only that thread uses it, and its signal handlers.
pub struct State {
    /// How many calls of ours this thread is in: more than one only in signal handlers.
    level: AtomicU32,
    queue: Queue,
    /// One for the thread, one for a handler that interrupted it inside.
    caches: [UnsafeCell<Cache>; 2],
    own: UnsafeCell<Own>,
    /// Counted from 1 in the order of their first events.
    pub number: u32,
}

/// What only the outermost call touches.
pub struct Own {
    /// Hashes of stacks, and their ids.
    pub stacks: [(u64, u32); REMEMBERED],
    /// Where walks led that were done before.
    pub walks: Walks,
    /// Pairs of stacks, and how well they fit.
    pub scores: [(u64, u32); REMEMBERED],
    /// The object and the stack of the put that this thread is in: the release comes from there.
    pub last_put: (usize, u32),
    /// The objects whose release functions this thread is in, and how many there are.
    pub releasing: [usize; 16],
    /// The rest of a deeper nesting is not noted.
    pub releasing_depth: usize,
    /// For sampling.
    pub countdown: u32,
}

impl Own {
    /// A release function begins.
    pub fn begin_release(&mut self, address: usize) {
        if let Some(place) = self.releasing.get_mut(self.releasing_depth) {
            *place = address;
        }
        self.releasing_depth += 1;
    }

    /// A put is over: if it was the last, its release function is.
    pub fn end_put(&mut self, address: usize) {
        self.last_put = (0, 0);
        let Some(last) = self.releasing_depth.checked_sub(1) else { return };
        if self.releasing.get(last).is_none_or(|&object| object == address) {
            self.releasing_depth = last;
        }
    }
}

/// Threads that have ended: their states serve again.
static IDLE: Lock<Vec<usize>> = Lock::new(Vec::new());
/// The kernel's numbers, in the order of ours.
static NUMBERS: Lock<Vec<i32>> = Lock::new(Vec::new());
/// Events that wait in any thread's queue.
static PENDING: AtomicI64 = AtomicI64::new(0);
/// Events for which there was no memory.
pub static LOST: AtomicU64 = AtomicU64::new(0);
/// The child of a fork that interrupted the tracker cannot use what it may have found half done.
pub static BROKEN: AtomicBool = AtomicBool::new(false);
static KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// Being inside. On its drop the thread is outside again, unless it is in an interrupted call.
pub struct Inside {
    state: *mut State,
    level: u32,
    errno: i32,
}

/// Enters the tracker. `None`: it can be of no use any more.
pub fn enter() -> Option<Inside> {
    if BROKEN.load(Relaxed) {
        return None;
    }
    let mut state = pointer::get();
    if state.is_null() {
        let Some(new) = begin() else {
            LOST.fetch_add(1, Relaxed);
            return None;
        };
        state = new;
    }
    // SAFETY: a thread's state lives as long as the thread.
    let level = unsafe { &(*state).level };
    let before = level.load(Relaxed);
    level.store(before + 1, Relaxed);
    compiler_fence(Acquire);
    // SAFETY: errno is this thread's.
    let errno = unsafe { *libc::__errno_location() };
    Some(Inside { state, level: before, errno })
}

impl Inside {
    /// Whether no other call of ours was interrupted.
    pub fn is_outermost(&self) -> bool {
        self.level == 0
    }

    /// This thread's state.
    pub fn state(&self) -> &State {
        // SAFETY: alive as in `enter`.
        unsafe { &*self.state }
    }

    /// The unwinder's cache for this depth of interruption. A handler that interrupted a handler
    /// inside the tracker has none.
    pub fn cache(&mut self) -> Option<&mut Cache> {
        let cache = self.state().caches.get(self.level as usize)?;
        // SAFETY: nobody else is at this level.
        Some(unsafe { &mut *cache.get() })
    }

    /// What is for the outermost call only.
    pub fn own(&mut self) -> &mut Own {
        debug_assert!(self.is_outermost());
        // SAFETY: one call at a time is the outermost.
        unsafe { &mut *self.state().own.get() }
    }

    /// Leaves an event to the call that was interrupted.
    pub fn queue(&self, event: Queued) {
        if self.state().queue.push(event) {
            PENDING.fetch_add(1, Relaxed);
        } else {
            LOST.fetch_add(1, Relaxed);
        }
    }

    /// Works on what was queued. A handler that comes now queues after it.
    fn drain(&mut self) {
        let state = self.state;
        // SAFETY: alive as in `enter`; a second reference, since the events need this guard.
        let queue = unsafe { &(*state).queue };
        queue.take_all(|event| {
            event.apply(self);
            PENDING.fetch_sub(1, Relaxed);
        });
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.is_outermost() {
            while !self.state().queue.is_empty() {
                self.drain();
            }
        }
        // SAFETY: errno is this thread's.
        unsafe { *libc::__errno_location() = self.errno };
        compiler_fence(Release);
        self.state().level.store(self.level, Relaxed);
        compiler_fence(Release);
        // One that was queued between the last look and the line above.
        if self.is_outermost() && !self.state().queue.is_empty() {
            drop(enter());
        }
    }
}

/// [`enter`], but not for a thread that was never here.
pub fn enter_if_known() -> Option<Inside> {
    if pointer::get().is_null() { None } else { enter() }
}

/// Undoes an [`enter`] whose guard was forgotten.
pub fn leave() {
    let state = pointer::get();
    if !state.is_null() {
        // SAFETY: this thread's own.
        let level = unsafe { &(*state).level };
        // SAFETY: errno is this thread's.
        let errno = unsafe { *libc::__errno_location() };
        drop(Inside { state, level: level.load(Relaxed).saturating_sub(1), errno });
    }
}

/// The kernel's number of a thread by ours.
pub fn kernel_number(number: u32) -> Option<i32> {
    NUMBERS.lock().get(number.checked_sub(1)? as usize).copied()
}

/// Whether some thread has seen what the table does not know yet.
pub fn events_are_pending() -> bool {
    PENDING.load(Relaxed) > 0
}

/// Makes this thread's state, with signals blocked: a handler must not make a second one.
#[cold]
fn begin() -> Option<*mut State> {
    let blocked = Signals::block();
    let mut state = pointer::get();
    if state.is_null() {
        state = IDLE.lock().pop().map_or_else(State::allocate, |idle| idle as *mut State);
        if !state.is_null() {
            // SAFETY: idle or new, it is nobody else's.
            unsafe { State::adopt(state) };
            pointer::set(state);
            let key = KEY.load(Relaxed);
            if key != u32::MAX {
                // SAFETY: a key of ours.
                unsafe { libc::pthread_setspecific(key, state.cast()) };
            }
        }
    }
    drop(blocked);
    (!state.is_null()).then_some(state)
}

impl State {
    /// In place, since it is larger than some threads' stacks. Null: there is no memory.
    fn allocate() -> *mut Self {
        let layout = Layout::new::<Self>();
        // SAFETY: not of size zero.
        let state = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<Self>();
        if !state.is_null() {
            memory::forgive(layout.size());
            let caches = [UnsafeCell::new(Cache::new()), UnsafeCell::new(Cache::new())];
            // SAFETY: the place is ours. All that is not the caches may be zero: numbers, and events
            // that are not there.
            unsafe { (&raw mut (*state).caches).write(caches) };
        }
        state
    }

    /// Makes it this thread's.
    ///
    /// # Safety
    /// Nobody else uses it.
    unsafe fn adopt(state: *mut Self) {
        // SAFETY: the caller's promise.
        let state = unsafe { &mut *state };
        // SAFETY: a bare system call.
        let tid = unsafe { libc::gettid() };
        let mut numbers = NUMBERS.lock();
        numbers.push(tid);
        state.number = numbers.len() as u32;
        drop(numbers);
        let own = state.own.get_mut();
        own.last_put = (0, 0);
        own.releasing_depth = 0;
        own.countdown = state.number;
    }
}

/// Lets a thread's state serve another when the thread ends.
pub fn set_up() {
    let mut key = 0;
    // SAFETY: `key` is ours to fill.
    if unsafe { libc::pthread_key_create(&mut key, Some(end)) } == 0 {
        KEY.store(key, Relaxed);
    }
}

unsafe extern "C" fn end(state: *mut libc::c_void) {
    let _blocked = Signals::block();
    pointer::set(ptr::null_mut());
    IDLE.lock().push(state as usize);
}

/// Around a fork.
pub fn before_fork() {
    IDLE.take();
    NUMBERS.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    NUMBERS.give_back();
    IDLE.give_back();
}

/// In the child: this thread has a new number of the kernel's.
pub fn renew() {
    let state = pointer::get();
    if !state.is_null() {
        // SAFETY: this thread's own, and a bare system call.
        let (number, tid) = unsafe { ((*state).number, libc::gettid()) };
        PENDING.store(0, Relaxed); // what waits in other threads' queues waits for ever
        if let Some(known) = NUMBERS.lock().get_mut(number as usize - 1) {
            *known = tid;
        }
    }
}

/// All signals blocked, until it is dropped.
pub struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them for this thread.
    pub fn block() -> Self {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both are filled before they are read.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the mask that was there before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

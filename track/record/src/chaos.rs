//! Chaos: threads are delayed around each change of a count, so that a race that happens once a month happens now.
//! The seed decides what each thread, by its number, does at each of its steps.
//!
//! A process with one thread has no race, and is left alone. In a process with several, all threads together wait at
//! most half of the time (and a twentieth of a second, so that those of a short program do): threads that wait for a lock
//! whose holder sleeps lose that time as well, so the program's own work takes the other half.

use core::ffi::c_char;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use wire::head::CHAOS;

use crate::{clock, own, processor, session, thread};

/// glibc's `__libc_single_threaded`, or null before glibc 2.32.
static SINGLE_THREADED: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

/// Looks up what is called or read later.
pub fn set_up() {
    // SAFETY: a C string.
    let flag = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
    SINGLE_THREADED.store(flag.cast(), Relaxed);
}

fn is_single_threaded() -> bool {
    let flag = SINGLE_THREADED.load(Relaxed);
    // SAFETY: the C library's variable, which only the first pthread_create() changes while another thread could run.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}

/// What a thread does at a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    GoOn,
    Yield,
    Sleep(u32),
}

/// Takes the calling thread's next turn, if there is chaos.
#[inline]
pub fn turn() {
    if let Some(settings) = session::settings()
        && settings.flags & CHAOS != 0
    {
        take(settings.seed);
    }
}

#[cold]
fn take(seed: u64) {
    if is_single_threaded() || !thread::is_known() {
        return;
    }
    let own = own::own();
    // SAFETY: null, or a state of this thread, which stays mapped.
    let Some(state) = (unsafe { own.state.load(Relaxed).as_ref() }) else { return };
    let step = state.step.fetch_add(1, Relaxed);
    let turn = draw(seed, own.number.load(Relaxed), step);
    let now = clock::now();
    if turn == Turn::GoOn || !WAITING.has_more(now) {
        return;
    }
    match turn {
        Turn::GoOn => {}
        // SAFETY: a bare system call.
        Turn::Yield => _ = unsafe { processor::system_call(libc::SYS_sched_yield, [0; 4]) },
        Turn::Sleep(microseconds) => sleep(microseconds),
    }
    WAITING.took(clock::now().saturating_sub(now));
}

/// Half of the turns go on; most others are short; some are longer than it takes to start a thread.
fn draw(seed: u64, thread: u32, step: u64) -> Turn {
    let number = mix(mix(seed ^ u64::from(thread) << 32) ^ step);
    let length = (number >> 32) as u32;
    match number % 16 {
        0..8 => Turn::GoOn,
        8..11 => Turn::Yield,
        11..14 => Turn::Sleep(length % 100),
        _ => Turn::Sleep(500 + length % 2000),
    }
}

/// splitmix64's finish.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// How long the threads of a process have waited, and may. The clock is coarse: short times are right on average.
struct Waiting {
    /// When the first one did. 0: none has.
    since: AtomicU64,
    /// Nanoseconds.
    sum: AtomicU64,
}

static WAITING: Waiting = Waiting { since: AtomicU64::new(0), sum: AtomicU64::new(0) };

impl Waiting {
    /// Whether a thread may wait now.
    fn has_more(&self, now: u64) -> bool {
        /// For programs that are soon over.
        const AT_ONCE: u64 = 50_000_000;
        // Another thread may be the first at the same time. Its time is as good.
        let since = match self.since.load(Relaxed) {
            0 => {
                self.since.store(now, Relaxed);
                now
            }
            since => since,
        };
        self.sum.load(Relaxed) < AT_ONCE + now.saturating_sub(since) / 2
    }

    fn took(&self, time: u64) {
        self.sum.fetch_add(time, Relaxed);
    }
}

fn sleep(microseconds: u32) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(microseconds) * 1000 };
    // SAFETY: `time` is there. A bare system call is no cancellation point.
    unsafe { processor::system_call(libc::SYS_nanosleep, [(&raw const time).addr(), 0, 0, 0]) };
}

#[cfg(test)]
mod tests {
    use super::{Turn, Waiting, draw};
    use core::sync::atomic::AtomicU64;
    use std::vec::Vec;

    #[test]
    fn a_seed_replays() {
        let turns = |seed| -> Vec<Turn> { (0..100).map(|step| draw(seed, 3, step)).collect() };
        assert_eq!(turns(7), turns(7));
        assert_ne!(turns(7), turns(8));
        assert!(turns(7).contains(&Turn::GoOn) && turns(7).contains(&Turn::Yield));
    }

    #[test]
    fn threads_wait_at_most_half_of_the_time() {
        let waiting = Waiting { since: AtomicU64::new(0), sum: AtomicU64::new(0) };
        let waited = |now: u64| {
            let may = || waiting.has_more(now);
            (0..)
                .take_while(|_| {
                    may() && {
                        waiting.took(1_000_000);
                        true
                    }
                })
                .count()
        };
        assert_eq!((waited(7), waited(7), waited(8)), (50, 0, 0));
        assert_eq!((waited(7 + 20_000_000), waited(7 + 1_020_000_000)), (10, 500));
    }
}

//! chaos=1: threads are held up around each change of a count, so that what happens once a month
//! happens now. The seed decides what each thread, by its number, does at each of its steps.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::options::options;
use crate::thread;

/// Steps are counted by thread; more threads than this share counts.
const THREADS: usize = 1024;
static STEPS: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];

/// What a thread does at a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    GoOn,
    Yield,
    Sleep(u32),
}

/// Takes the calling thread's next turn, if there is chaos.
pub fn turn() {
    let Some(seed) = options().chaos else { return };
    let Some(inside) = thread::enter() else { return };
    let number = inside.state().number;
    drop(inside);
    let step = STEPS[number as usize % THREADS].fetch_add(1, Relaxed);
    match draw(seed, number, step) {
        Turn::GoOn => {}
        // SAFETY: a bare system call.
        Turn::Yield => _ = unsafe { libc::sched_yield() },
        Turn::Sleep(microseconds) => sleep(microseconds),
    }
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

fn sleep(microseconds: u32) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(microseconds) * 1000 };
    // SAFETY: `time` is there. A bare system call is no cancellation point.
    unsafe { libc::syscall(libc::SYS_nanosleep, &time, std::ptr::null::<libc::timespec>()) };
}

#[cfg(test)]
mod tests {
    use super::{Turn, draw};

    #[test]
    fn a_seed_replays() {
        let turns = |seed| -> Vec<Turn> { (0..100).map(|step| draw(seed, 3, step)).collect() };
        assert_eq!(turns(7), turns(7));
        assert_ne!(turns(7), turns(8));
        assert!(turns(7).contains(&Turn::GoOn) && turns(7).contains(&Turn::Yield));
    }
}

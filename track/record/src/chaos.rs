//! Chaos: threads are delayed around each change of a count, so that a race that happens once a month happens now.
//! The seed decides what each thread, by its number, does at each of its steps.

use core::sync::atomic::Ordering::Relaxed;

use wire::head::CHAOS;

use crate::{own, processor, session, thread};

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
    if !thread::is_known() {
        return;
    }
    let own = own::own();
    // SAFETY: null, or a state of this thread, which stays mapped.
    let Some(state) = (unsafe { own.state.load(Relaxed).as_ref() }) else { return };
    let step = state.step.fetch_add(1, Relaxed);
    match draw(seed, own.number.load(Relaxed), step) {
        Turn::GoOn => {}
        // SAFETY: a bare system call.
        Turn::Yield => _ = unsafe { processor::system_call(libc::SYS_sched_yield, [0; 4]) },
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
    unsafe { processor::system_call(libc::SYS_nanosleep, [(&raw const time).addr(), 0, 0, 0]) };
}

#[cfg(test)]
mod tests {
    use super::{Turn, draw};
    use std::vec::Vec;

    #[test]
    fn a_seed_replays() {
        let turns = |seed| -> Vec<Turn> { (0..100).map(|step| draw(seed, 3, step)).collect() };
        assert_eq!(turns(7), turns(7));
        assert_ne!(turns(7), turns(8));
        assert!(turns(7).contains(&Turn::GoOn) && turns(7).contains(&Turn::Yield));
    }
}

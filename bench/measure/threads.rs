//! Threads that run at the same time, each on a core of its own.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Runs `work` on a thread for each of `cores`, and returns the results in the same order. `work` gets the number of
/// its thread.
pub fn on_each<T: Send>(cores: &[usize], work: &(impl Fn(&Gate, usize) -> T + Sync)) -> Vec<T> {
    let all = cores.len();
    let gate = &Gate { threads: all, awake: Barrier::new(all), arrived: AtomicUsize::new(0) };
    thread::scope(|scope| {
        let start = |(thread, &core)| {
            scope.spawn(move || {
                stay_on(core);
                work(gate, thread)
            })
        };
        let workers: Vec<_> = cores.iter().enumerate().map(start).collect();
        workers.into_iter().map(|worker| worker.join().expect("no loop panics")).collect()
    })
}

/// A barrier that all threads leave within a microsecond.
pub struct Gate {
    threads: usize,
    awake: Barrier,
    arrived: AtomicUsize,
}

impl Gate {
    /// Waits until every thread is here: first asleep, for a thread that waits for its core, because
    /// a thread that wakes up gets its core before one that has used it; then spinning, for the
    /// microseconds in which the others wake up.
    pub fn pass(&self) {
        self.awake.wait();
        self.arrived.fetch_add(1, SeqCst);
        while self.arrived.load(SeqCst) < self.threads {
            std::hint::spin_loop();
        }
    }
}

/// The cores that the calling thread may use.
pub fn cores() -> Vec<usize> {
    // SAFETY: cpu_set_t is an array of integers, for which zero bytes are a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most the size that is passed, and that is the set's size.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    assert_eq!(failed, 0, "sched_getaffinity failed");
    // SAFETY: the number is below CPU_SETSIZE, so it is a bit of the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// Keeps the calling thread on `core`, which is one of [`cores`]. The scheduler may put threads that
/// live for a millisecond on one core, one after the other, so that they never run together.
pub fn stay_on(core: usize) {
    // SAFETY: as in `cores`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `core` came out of such a set, and the kernel reads no more than the set's size.
    let failed = unsafe {
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    assert_eq!(failed, 0, "a thread cannot be kept on core {core}");
}

/// How often the kernel took a core from the calling thread and gave it to another
/// (`RUSAGE_THREAD`), or from any thread of this process (`RUSAGE_SELF`).
pub fn preemptions(whose: libc::c_int) -> libc::c_long {
    // SAFETY: rusage has integers only, for which zero bytes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole rusage.
    let failed = unsafe { libc::getrusage(whose, &mut usage) };
    assert_eq!(failed, 0, "getrusage failed");
    usage.ru_nivcsw
}

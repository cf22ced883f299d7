//! What can be timed: an operation, done n times by one thread or by one on each core.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// An operation that is to be compared with others.
pub struct Contender {
    pub name: &'static str,
    /// The most that it may take, as a multiple of what the first contender takes.
    pub limit: Option<f64>,
    work: Box<dyn Fn(u64) + Sync>,
}

impl Contender {
    /// `work` does the operation as often as it is told, by any number of threads on one object.
    pub fn new(name: &'static str, work: impl Fn(u64) + Sync + 'static) -> Self {
        Self { name, limit: None, work: Box::new(work) }
    }

    pub fn at_most(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// How long those threads take to do it `n` times each: from the first one's start to the last
    /// one's end.
    pub fn time(&self, n: u64, threads: &Threads) -> Duration {
        let span = || {
            let start = Instant::now();
            (self.work)(n);
            (start, Instant::now())
        };
        let spans = threads.run(&span);
        let start = spans.iter().map(|span| span.0).min().expect("a thread");
        let end = spans.iter().map(|span| span.1).max().expect("a thread");
        end - start
    }
}

/// The threads that do an operation at the same time.
pub enum Threads {
    /// The calling one.
    One,
    /// One on each of these cores.
    Each(Vec<usize>),
}

impl Threads {
    /// On every core that this process may use.
    pub fn on_each_core() -> Self {
        Self::Each(cores())
    }

    pub fn count(&self) -> usize {
        match self {
            Self::One => 1,
            Self::Each(cores) => cores.len(),
        }
    }

    fn run<T: Send>(&self, work: &(impl Fn() -> T + Sync)) -> Vec<T> {
        let Self::Each(cores) = self else { return vec![work()] };
        let gate = Gate::default();
        let worker = |core| {
            stay_on(core);
            gate.pass(cores.len());
            work()
        };
        thread::scope(|scope| {
            let start = |&core| scope.spawn(move || worker(core));
            let workers: Vec<_> = cores.iter().map(start).collect();
            workers.into_iter().map(|worker| worker.join().expect("no loop panics")).collect()
        })
    }
}

/// A barrier that threads leave within about a microsecond of each other. std's puts them to sleep,
/// and while the last one is being woken the first has the object to itself.
#[derive(Default)]
struct Gate(AtomicUsize);

impl Gate {
    fn pass(&self, threads: usize) {
        self.0.fetch_add(1, SeqCst);
        while self.0.load(SeqCst) < threads {
            thread::yield_now();
        }
    }
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    // SAFETY: a set of bits, for which zero is empty.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as long as it says.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    assert_eq!(failed, 0, "the kernel does not say on which cores this may run");
    // SAFETY: within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// Keeps this thread on `core`. Left to the scheduler, threads that live as briefly as these may
/// well take turns on one core, and never meet.
fn stay_on(core: usize) {
    // SAFETY: a set of bits, for which zero is empty.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core came from such a set; the set is as long as it says.
    let failed = unsafe {
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    assert_eq!(failed, 0, "a thread cannot be kept on core {core}");
}

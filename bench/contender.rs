//! What can be timed: an operation, done n times by one thread or by one on each core.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// An operation that is to be compared with others.
pub struct Contender {
    pub name: &'static str,
    pub limits: Vec<Limit>,
    enter: Box<dyn Fn() + Sync>,
    work: Box<dyn Fn(u64) + Sync>,
    leave: Box<dyn Fn() + Sync>,
}

/// The most that an operation may take, as a multiple of something else.
#[derive(Clone, Copy)]
pub struct Limit {
    pub most: f64,
    pub of: Of,
}

/// Of what a limit is a multiple.
#[derive(Clone, Copy)]
pub enum Of {
    /// Of what the first contender takes by one thread, on a quiet core and on one that is not.
    FirstAlone,
    /// Of what the first contender takes with a thread on each core.
    FirstContended,
    /// Of what the contender of that name takes by one thread.
    Alone(&'static str),
    /// With a thread on each core: of what it takes by one of them alone.
    OneThread,
}

impl Contender {
    /// `work` does the operation as often as it is told, by any number of threads on one object.
    pub fn new(name: &'static str, work: impl Fn(u64) + Sync + 'static) -> Self {
        let nothing = || Box::new(|| ());
        Self { name, limits: vec![], enter: nothing(), work: Box::new(work), leave: nothing() }
    }

    /// What each thread does before the work and after it, in no one's time.
    pub fn between(
        self,
        enter: impl Fn() + Sync + 'static,
        leave: impl Fn() + Sync + 'static,
    ) -> Self {
        Self { enter: Box::new(enter), leave: Box::new(leave), ..self }
    }

    /// By one thread, and by one on each core, at most so much of what the first contender takes.
    pub fn at_most(self, most: f64) -> Self {
        self.within(most, Of::FirstAlone).within(most, Of::FirstContended)
    }

    pub fn within(mut self, most: f64, of: Of) -> Self {
        self.limits.push(Limit { most, of });
        self
    }

    /// How long those threads take to do it `n` times each: from the first one's start to the last
    /// one's end. Once more, though not for ever, if another program took a core away from them:
    /// what is left of contention then is not what was to be measured.
    pub fn time(&self, n: u64, threads: &Threads) -> Duration {
        let mut time = Duration::ZERO;
        for _ in 0..ATTEMPTS {
            let undisturbed;
            (time, undisturbed) = self.attempt(n, threads);
            if undisturbed {
                break;
            }
        }
        time
    }

    fn attempt(&self, n: u64, threads: &Threads) -> (Duration, bool) {
        let span = |gate: &Gate| {
            (self.enter)();
            gate.pass(threads.count());
            let before = preemptions();
            let start = Instant::now();
            (self.work)(n);
            let end = Instant::now();
            let undisturbed = preemptions() == before;
            (self.leave)();
            (start, end, undisturbed)
        };
        let spans = threads.run(&span);
        let start = spans.iter().map(|span| span.0).min().expect("a thread");
        let end = spans.iter().map(|span| span.1).max().expect("a thread");
        (end - start, spans.iter().all(|span| span.2))
    }

    /// What one operation takes, in nanoseconds.
    pub fn nanoseconds(&self, n: u64, threads: &Threads) -> f64 {
        self.time(n, threads).as_secs_f64() * 1e9 / n as f64
    }
}

const ATTEMPTS: usize = 8;

/// How often this thread has lost its core to another.
fn preemptions() -> libc::c_long {
    // SAFETY: numbers, for which zero is one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the place is as large as it should be.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    assert_eq!(failed, 0, "the kernel does not say how a thread fares");
    usage.ru_nivcsw
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

    /// Each by itself.
    pub fn apart(&self) -> Vec<Self> {
        match self {
            Self::One => vec![Self::One],
            Self::Each(cores) => cores.iter().map(|&core| Self::Each(vec![core])).collect(),
        }
    }

    fn run<T: Send>(&self, work: &(impl Fn(&Gate) -> T + Sync)) -> Vec<T> {
        let gate = Gate::default();
        let Self::Each(cores) = self else { return vec![work(&gate)] };
        let worker = |core| {
            stay_on(core);
            work(&gate)
        };
        thread::scope(|scope| {
            let worker = &worker;
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
pub fn cores() -> Vec<usize> {
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
pub fn stay_on(core: usize) {
    // SAFETY: a set of bits, for which zero is empty.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core came from such a set; the set is as long as it says.
    let failed = unsafe {
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    assert_eq!(failed, 0, "a thread cannot be kept on core {core}");
}

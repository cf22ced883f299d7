//! One operation that is timed, by one thread or by a thread on each core.

use std::time::{Duration, Instant};

use libc::RUSAGE_THREAD;

use crate::threads::{Gate, on_each, preemptions};

/// An operation that takes turns with others.
pub struct Contender {
    /// The row's name.
    pub name: String,
    enter: Box<dyn Fn() + Sync>,
    work: Box<Work>,
    leave: Box<dyn Fn() + Sync>,
}

/// Does the operation so many times, on the thread of this number, one of so many threads.
type Work = dyn Fn(u64, usize, usize) + Sync;

/// How long a turn shall be: long beside the microsecond in which the threads leave the gate, and
/// short beside the milliseconds for which another program gets a core.
const TURN: Duration = Duration::from_micros(500);

impl Contender {
    /// `work(n)` does the operation n times. Any number of threads may call `work` at once.
    pub fn new(name: impl Into<String>, work: impl Fn(u64) + Sync + 'static) -> Self {
        Self::of_threads(name, move |n, _, _| work(n))
    }

    /// `work(n, thread, threads)` does the part of this thread n times, one of so many threads.
    pub fn of_threads(
        name: impl Into<String>,
        work: impl Fn(u64, usize, usize) + Sync + 'static,
    ) -> Self {
        let nothing = || Box::new(|| ());
        Self { name: name.into(), enter: nothing(), work: Box::new(work), leave: nothing() }
    }

    /// The same contender, whose threads call `enter` before each turn and `leave` after it. Both
    /// calls are outside the time.
    pub fn between(
        self,
        enter: impl Fn() + Sync + 'static,
        leave: impl Fn() + Sync + 'static,
    ) -> Self {
        Self { enter: Box::new(enter), leave: Box::new(leave), ..self }
    }

    /// How many operations a thread does in a turn.
    pub fn operations_in_a_turn(&self, cores: &[usize]) -> u64 {
        let mut n = 1;
        loop {
            let time = self.shortest_of_some_turns(n, cores);
            if time >= TURN / 4 {
                return (n as f64 * TURN.as_secs_f64() / time.as_secs_f64()).ceil() as u64;
            }
            n *= 4;
        }
    }

    /// Several turns, because another program may take a core in one.
    fn shortest_of_some_turns(&self, n: u64, cores: &[usize]) -> Duration {
        (0..5).map(|_| self.turn(n, cores).time).min().expect("five turns")
    }

    /// The nanoseconds of one operation, where a thread on each of `cores` does `n` of them. Not a
    /// number if another program took a core: then the threads did not run at the same time.
    pub fn nanoseconds(&self, n: u64, cores: &[usize]) -> f64 {
        match self.turn(n, cores) {
            Turn { disturbed: true, .. } => f64::NAN,
            Turn { time, .. } => time.as_secs_f64() * 1e9 / n as f64,
        }
    }

    fn turn(&self, n: u64, cores: &[usize]) -> Turn {
        let spans = on_each(cores, &|gate: &Gate, thread| {
            let work = |n| (self.work)(n, thread, cores.len());
            (self.enter)();
            // A thread's first operations may register the thread and fill its caches.
            work((n / 8).clamp(1, 64));
            gate.pass();
            let before = preemptions(RUSAGE_THREAD);
            let start = Instant::now();
            work(n);
            let end = Instant::now();
            let preempted = preemptions(RUSAGE_THREAD) != before;
            (self.leave)();
            Span { start, end, preempted }
        });
        Turn::of(&spans)
    }
}

/// One thread's part of a turn.
struct Span {
    start: Instant,
    end: Instant,
    preempted: bool,
}

struct Turn {
    /// From the first thread's start to the last thread's end.
    time: Duration,
    /// Whether another program took a core: during the turn, or while a thread was about to begin.
    disturbed: bool,
}

impl Turn {
    fn of(spans: &[Span]) -> Self {
        let starts = spans.iter().map(|span| span.start);
        let first = starts.clone().min().expect("at least one core");
        let late = starts.max().expect("at least one core") - first;
        let time = spans.iter().map(|span| span.end).max().expect("at least one core") - first;
        let disturbed = spans.iter().any(|span| span.preempted) || late > time / 50;
        Self { time, disturbed }
    }
}

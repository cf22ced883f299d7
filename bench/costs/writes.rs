//! The time of a write, alone and while another thread reads: criterion's part.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use kref_bench::{Loops, Pace, cores, preemptions, stay_on};
use libc::RUSAGE_SELF;

/// The ways to publish an object and to replace it: the row's name, and what the names of its
/// functions in writers.c begin with.
pub const WAYS: [(&str, &str); 3] =
    [("mutex by hand", "mutex"), ("kref_slot", "slot"), ("percpu_ref_slot", "percpu_slot")];

/// A write of another kind: the object stays.
const KILL: (&str, &str) = ("kill + resurrect", "mortal");

/// Times every kind of write, alone and while a thread on another core reads.
pub fn time(loops: Loops, pace: Pace) {
    let (samples, milliseconds) = if pace == Pace::Full { (30, 1000) } else { (10, 50) };
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(milliseconds / 4))
        .measurement_time(Duration::from_millis(milliseconds))
        .sample_size(samples)
        .configure_from_args();
    let cores = cores();
    for (title, count) in [("a write", 1), ("a write while a thread reads", 2)] {
        let Some(cores) = cores.get(..count) else { continue };
        let mut group = criterion.benchmark_group(title);
        for (name, prefix) in WAYS.into_iter().chain([KILL]) {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|writes| time_of(loops, prefix, writes, cores));
            });
        }
        group.finish();
    }
}

/// The time of so many writes by a thread on the first core, while a thread reads on each other core.
fn time_of(loops: Loops, prefix: &str, writes: u64, cores: &[usize]) -> Duration {
    let read = loops.function(&format!("{prefix}_read"));
    let mixed = loops.mixed(&format!("{prefix}_mixed"));
    let (steps, stop) = (&Steps::default(), &AtomicBool::new(false));
    thread::scope(|scope| {
        for &core in &cores[1..] {
            scope.spawn(move || {
                stay_on(core);
                while !stop.load(SeqCst) {
                    read(10);
                    steps.0.fetch_add(1, SeqCst);
                }
            });
        }
        let writer = scope.spawn(|| {
            stay_on(cores[0]);
            let wait = || {
                if cores.len() > 1 {
                    steps.wait()
                }
            };
            let time = time_of_batches(writes, &wait, &|| mixed(BATCH, 0));
            stop.store(true, SeqCst);
            time
        });
        writer.join().expect("no loop panics")
    })
}

/// How far the reader has come, alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Steps(AtomicU64);

impl Steps {
    /// Waits for the reader's next step, so that the reader is on its core now.
    fn wait(&self) {
        let before = self.0.load(SeqCst);
        while self.0.load(SeqCst) == before {
            std::hint::spin_loop();
        }
    }
}

/// Writes that are timed together: many beside the clock's own time, and few enough that most
/// batches end before another program gets a core.
const BATCH: u64 = 20;

/// The time of so many writes, measured in full batches, before each of which `wait` is called.
fn time_of_batches(writes: u64, wait: &dyn Fn(), batch: &dyn Fn()) -> Duration {
    let batches = writes.div_ceil(BATCH);
    let time = (0..batches).map(|_| time_of_batch(wait, batch)).sum::<Duration>();
    time.mul_f64(writes as f64 / (batches * BATCH) as f64)
}

/// How often a batch is repeated at most.
const ATTEMPTS: usize = 20;

/// The time of a batch in which no other program took the writer's core or the reader's. A write has
/// to interrupt a reader only while the reader runs.
fn time_of_batch(wait: &dyn Fn(), batch: &dyn Fn()) -> Duration {
    let attempt = || {
        wait();
        let before = preemptions(RUSAGE_SELF);
        let start = Instant::now();
        batch();
        (start.elapsed(), preemptions(RUSAGE_SELF) == before)
    };
    let mut attempts = (0..ATTEMPTS).map(|_| attempt());
    let undisturbed = attempts.find(|&(_, undisturbed)| undisturbed);
    undisturbed.unwrap_or_else(attempt).0
}

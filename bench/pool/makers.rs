//! The ways to make an object and to free it.

use kref_bench::Threads::{OnEachCore, One};
use kref_bench::{Contender, Goal, Loops};

const MALLOC: &str = "malloc, kref_init, put, free";
const POOL: &str = "kref_pool: alloc, publish, put";
const BATCHES: [&str; 2] = ["malloc and free, 64 at a time", "kref_pool, 64 at a time"];
const HANDED: [&str; 2] = ["malloc here, free there", "kref_pool: alloc here, free there"];

/// The titles and rows.
pub const TABLES: [(&str, &[&str]); 3] = [
    ("make + put", &[MALLOC, POOL]),
    ("make + put, 64 at a time", &BATCHES),
    // Each second thread frees what the thread before has made; one thread alone as in the table before.
    ("make here, put there", &HANDED),
];

/// The goals.
pub const GOALS: [Goal; 3] = [
    Goal::new(1.30, (POOL, One), (&[MALLOC], One)),
    Goal::new(1.30, (POOL, OnEachCore), (&[MALLOC], OnEachCore)),
    Goal::new(0.60, (HANDED[1], OnEachCore), (&[HANDED[0]], OnEachCore)),
];

/// All of them.
pub fn contenders() -> Vec<Contender> {
    let loops = Loops::compile("bench/pool/make.c", "make", &[]);
    let of = |at: usize, name, way: &str| {
        let batches = loops.function(&format!("{way}_in_batches"));
        let hand_over = loops.mixed(&format!("{way}_hand_over"));
        [
            loops.contender(name, &format!("{way}_one_by_one")),
            Contender::new(BATCHES[at], batches),
            Contender::of_threads(HANDED[at], move |n, thread, threads| {
                if thread ^ 1 < threads { hand_over(n, thread as u64) } else { batches(n) }
            }),
        ]
    };
    [of(0, MALLOC, "malloc"), of(1, POOL, "pool")].into_iter().flatten().collect()
}

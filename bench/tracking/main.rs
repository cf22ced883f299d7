//! The cost of tracking, next to heaptrack, valgrind and AddressSanitizer: a get and a put with sixteen functions on
//! the stack, an object's creation and end, whole programs, and memory.
//!
//! All figures are ratios in one run, in which all take turns (../measure). `KREF_BENCH=quick` takes a twelfth of the
//! rounds. `cargo bench --bench tracking -- objects memory programs sampled pairs` takes the parts that it names.

mod memory;
mod objects;
mod programs;

use std::time::Duration;

use kref_bench::{Goal, Loops, Pace, Rows, Threads, compile, table};
use kref_c_tests::Prefix;

const UNTRACKED: &str = "untracked";
const ONE_OBJECT: &str = "tracked, one object";
const OBJECT_EACH: &str = "tracked, an object for each thread";
const MILLION: &str = "tracked, one of a million objects";
const NAMES: [&str; 4] = [UNTRACKED, ONE_OBJECT, OBJECT_EACH, MILLION];

const GOALS: [Goal; 3] = [
    Goal::new(10.0, (ONE_OBJECT, Threads::One), (&[UNTRACKED], Threads::One)),
    Goal::new(9.0, (ONE_OBJECT, Threads::OnEachCore), (&[UNTRACKED], Threads::OnEachCore)),
    Goal::new(1.5, (MILLION, Threads::One), (&[ONE_OBJECT], Threads::One)),
];

fn main() {
    Prefix::renew_tracker();
    let pace = Pace::asked_for();
    let asked_for: Vec<_> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_asked_for =
        |part: &str| asked_for.is_empty() || asked_for.iter().any(|word| word == part);
    let compiled =
        |name: &str| compile(&format!("bench/tracking/{name}.c"), name, &["-g", "-pthread"]);
    if is_asked_for("objects") {
        println!("\n{}", objects::table(&compiled("objects"), pace));
    }
    if is_asked_for("memory") {
        println!("\n{}", memory::table(&compiled("objects")));
    }
    if is_asked_for("programs") {
        println!("\n{}", programs::tables(&compiled("cache"), pace));
    }
    if is_asked_for("sampled") {
        println!("\n{}", programs::sampled(pace));
    }
    if is_asked_for("pairs") {
        println!("\n{}", get_and_put(pace));
    }
}

/// Last, since from here on this process is tracked itself.
fn get_and_put(pace: Pace) -> String {
    // SAFETY: no other thread runs any more, so none reads the environment. libkref reads the variable when deep.so
    // loads it.
    unsafe { std::env::set_var("KREF_OPTIONS", "track=1") };
    let loops = Loops::compile("bench/tracking/deep.c", "deep", &[]);
    loops.plain("begin_shared")();
    loops.plain("begin_million")();
    let contenders = [
        (UNTRACKED, "get_put_untracked"),
        (ONE_OBJECT, "get_put_tracked"),
        (OBJECT_EACH, "get_put_own"),
        (MILLION, "get_put_million"),
    ];
    // The judge has read all when a turn begins, as in a program that does other things too. ./objects.rs measures gets
    // and puts without end, for which a program waits at full rings.
    let pause = || std::thread::sleep(Duration::from_millis(2));
    let contenders =
        contenders.map(|(name, function)| loops.contender(name, function).between(pause, || ()));
    let rows = Rows::measure(&contenders, pace, 20);
    loops.plain("end_million")();
    loops.plain("end_shared")();
    let mut text = table("get + put, 16 functions deep", &NAMES, &rows);
    for goal in GOALS {
        text += &format!("{}\n", goal.judge(&rows));
    }
    text + &format!("{:.1} % of the turns were lost to other programs\n", 100.0 * rows.lost())
}

//! The cost of tracking: a get and a put with sixteen functions on the stack, and a real program, the
//! example server, next to heaptrack and valgrind.
//!
//! ../measure says how the rows take turns. `KREF_BENCH=quick` takes a thirtieth of the rounds.

mod programs;

use kref_bench::{Loops, Pace, Rows, Threads, compile, table, verdict};

/// The goal: the most nanoseconds that a tracked get and put may take.
const MOST: f64 = 1000.0;

const UNTRACKED: &str = "untracked";
const ONE_OBJECT: &str = "tracked, one object";
const OBJECT_EACH: &str = "tracked, an object for each thread";

fn main() {
    // SAFETY: no other thread runs yet, so none reads the environment. libkref reads the variable when
    // deep.so loads it.
    unsafe { std::env::set_var("KREF_OPTIONS", "track=1") };
    let pace = Pace::asked_for();
    let loops = Loops::compile("bench/tracking/deep.c", "deep", &[]);
    loops.plain("begin_shared")();
    let contenders = [
        loops.contender(UNTRACKED, "get_put_untracked"),
        loops.contender(ONE_OBJECT, "get_put_tracked"),
        loops.contender(OBJECT_EACH, "get_put_own"),
    ];
    let rows = Rows::measure(&contenders, pace, 20);
    loops.plain("end_shared")();
    let names = [UNTRACKED, ONE_OBJECT, OBJECT_EACH];
    println!("\n{}", table("get + put, 16 functions deep", &names, &rows));
    for name in &names[1..] {
        for threads in [Threads::One, Threads::OnEachCore] {
            let fits = verdict(MOST, rows.nanoseconds((name, threads)));
            println!("{fits:9} {MOST} ns: {name}, {threads}");
        }
    }
    let server = compile("examples/server/server.c", "server", &["-g", "-pthread"]);
    println!("\n{}", programs::table(&server, pace));
}

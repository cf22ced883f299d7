//! What tracking costs: a get and a put with sixteen functions on the stack, and a real program, the
//! example server, next to what heaptrack and valgrind make of it.
//!
//! `KREF_BENCH=quick` takes a tenth of the rounds.

#[allow(dead_code, reason = "shared with costs.rs, which needs more of it")]
mod contender;
mod programs;

use std::path::PathBuf;

use contender::{Contender, Threads};
use kref_c_tests::{Compiler, Prefix, project, run, scratch};
use libloading::Library;

/// What tracking may cost, by the goal that was set: nanoseconds for a get and a put.
const LIMIT: f64 = 1000.0;
/// Pairs in a round.
const OPERATIONS: u64 = 4_000;

fn main() {
    // libkref reads it when deep.so loads it.
    // SAFETY: there is no other thread yet.
    unsafe { std::env::set_var("KREF_OPTIONS", "track=1") };
    // Programs that have locks have threads: see costs.rs.
    std::thread::spawn(|| ()).join().expect("nothing to fail");

    let library = load(compile("bench/deep.c", "deep.so", &["-fPIC", "-shared"]));
    call(library, "begin_shared");
    let contenders = [
        contender(library, "untracked", "get_put_untracked"),
        contender(library, "tracked, one object", "get_put_tracked"),
        contender(library, "tracked, an object each", "get_put_own"),
    ];
    let threads = Threads::on_each_core();
    println!(
        "get + put, 16 functions deep      one thread       one on each of {} cores",
        threads.count()
    );
    println!("{:30}{:>8}{:>8}{:>18}{:>8}", "", "ns", "ratio", "ns", "ratio");
    let one = costs(&contenders, &Threads::One);
    let each = costs(&contenders, &threads);
    for ((contender, one), each) in contenders.iter().zip(one).zip(each) {
        let fits = if one.0 <= LIMIT && each.0 <= LIMIT { "within" } else { "ABOVE" };
        let name = contender.name;
        print!("{name:30}{:8.1}{:8.1}{:18.1}{:8.1}", one.0, one.1, each.0, each.1);
        println!(
            "{}",
            if name == "untracked" { String::new() } else { format!("  {fits} {LIMIT} ns") }
        );
    }
    call(library, "end_shared");
    println!(
        "\n{}",
        programs::table(&compile("examples/server/server.c", "server", &["-g", "-pthread"]))
    );
}

/// How many rounds, if it shall be so many of them.
fn rounds(full: usize) -> usize {
    let quick = std::env::var_os("KREF_BENCH").is_some_and(|pace| pace == "quick");
    if quick { (full / 10).max(1) } else { full }
}

/// Nanoseconds, and the ratio to the first contender in the same round: medians.
fn costs(contenders: &[Contender], threads: &Threads) -> Vec<(f64, f64)> {
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..rounds(500) {
        for turn in 0..contenders.len() {
            // Another begins each time, so that none is always the first.
            let who = (round + turn) % contenders.len();
            let time = contenders[who].time(OPERATIONS, threads).as_secs_f64();
            times[who].push(time * 1e9 / OPERATIONS as f64);
        }
    }
    times.iter().map(|own| (median(own.clone()), median_ratio(own, &times[0]))).collect()
}

fn median_ratio(own: &[f64], first: &[f64]) -> f64 {
    median(own.iter().zip(first).map(|(own, first)| own / first).collect())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Compiles a C file of the project's against libkref.so, as a user would.
fn compile(source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let prefix = Prefix::plain();
    let folder = scratch().join("bench");
    std::fs::create_dir_all(&folder).expect("target can be written");
    let object = folder.join(name);
    let mut compile = Compiler::any().command();
    compile.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]).args(flags);
    compile.arg("-I").arg(prefix.include()).arg(project().join(source));
    compile.arg(prefix.lib().join("libkref.so"));
    compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display())).arg("-o").arg(&object);
    let compiled = run(&mut compile);
    assert!(compiled.success, "{source} does not compile:\n{}", compiled.output);
    object
}

fn load(object: PathBuf) -> &'static Library {
    // SAFETY: deep.c runs nothing when it is loaded, and libkref only what KREF_OPTIONS asks for.
    let library = unsafe { Library::new(&object) };
    let library = library.unwrap_or_else(|why| panic!("{}: {why}", object.display()));
    Box::leak(Box::new(library))
}

fn call(library: &'static Library, function: &str) {
    // SAFETY: deep.c declares the function so.
    let function: unsafe extern "C" fn() = unsafe { *library.get(function).expect("of deep.c") };
    // SAFETY: each is called once, while no contender runs.
    unsafe { function() };
}

fn contender(library: &'static Library, name: &'static str, function: &str) -> Contender {
    // SAFETY: deep.c declares every loop so.
    let function: unsafe extern "C" fn(u64) = unsafe { *library.get(function).expect("of deep.c") };
    // SAFETY: a loop may be run by any number of threads.
    Contender::new(name, move |n| unsafe { function(n) })
}

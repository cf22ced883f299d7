//! What tracking costs while it is on: a get and a put, and examples/server.c, against the same program
//! untracked, and under heaptrack and valgrind where these are installed. Medians of rounds in which all
//! take turns.

use std::path::PathBuf;
use std::process::Command;

use kref_c_tests::{Compiler, Prefix, project, run, scratch};

const ROUNDS: usize = 5;

/// A way to run a program.
struct Way {
    name: &'static str,
    command: Vec<String>,
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let (pair, server) = (compile("bench/track.c"), compile("examples/server.c"));
    println!(
        "| nanoseconds for a get and a put | one thread | two, each its object | two, one object |"
    );
    println!("|---|---|---|---|");
    for way in ways() {
        let cells = [&["1"][..], &["2"], &["2", "shared"]].map(|arguments| {
            median(rounds, || way.measure(&pair, arguments))
                .map_or("-".into(), |ns| format!("{ns:.0}"))
        });
        println!("| {} | {} |", way.name, cells.join(" | "));
    }
    println!("\n| examples/server.c | microseconds for a request | ratio |\n|---|---|---|");
    let mut untracked = None;
    for way in ways() {
        let Some(time) = median(rounds, || way.measure(&server, &["50000"])) else { continue };
        let base = *untracked.get_or_insert(time);
        println!("| {} | {time:.2} | {:.2} |", way.name, time / base);
    }
}

fn ways() -> Vec<Way> {
    let track = Prefix::plain().kref_track().display().to_string();
    let way = |name, command: &[&str]| Way {
        name,
        command: command.iter().map(|word| word.to_string()).collect(),
    };
    let mut ways = vec![
        way("untracked", &[]),
        way("tracked, 16 frames", &[&track]),
        way("tracked, 8 frames", &[&track, "--depth", "8"]),
        way("tracked, one object in 100", &[&track, "--sample", "1/100"]),
    ];
    for (name, command) in [
        ("heaptrack", &["heaptrack", "-o", "/dev/null"][..]),
        ("valgrind", &["valgrind", "-q", "--leak-check=no"]),
    ] {
        if run(Command::new(command[0]).arg("--version")).success {
            ways.push(way(name, command));
        }
    }
    ways
}

impl Way {
    /// The first number that the program prints before a unit, or alone.
    fn measure(&self, program: &PathBuf, arguments: &[&str]) -> Option<f64> {
        let mut words = self.command.iter();
        let mut command = match words.next() {
            Some(first) => Command::new(first),
            None => Command::new(program),
        };
        command.args(words);
        if !self.command.is_empty() {
            command.arg(program);
        }
        let ended = run(command.args(arguments));
        assert!(ended.success, "{}: {}", self.name, ended.output);
        let numbers = ended.output.split_whitespace().filter(|word| word.contains('.'));
        numbers.filter_map(|word| word.parse().ok()).next()
    }
}

fn median(rounds: usize, mut measure: impl FnMut() -> Option<f64>) -> Option<f64> {
    let mut times: Vec<f64> = (0..rounds).filter_map(|_| measure()).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

fn compile(source: &str) -> PathBuf {
    let prefix = Prefix::plain();
    let folder = scratch().join("bench");
    std::fs::create_dir_all(&folder).expect("target can be written");
    let program = folder.join(source.replace('/', "-"));
    let mut command = Compiler::any().command();
    command.args(["-O2", "-g"]).arg(project().join(source)).arg("-o").arg(&program);
    command
        .arg("-I")
        .arg(prefix.include())
        .arg("-L")
        .arg(prefix.lib())
        .args(["-lkref", "-pthread"]);
    command.arg(format!("-Wl,-rpath,{}", prefix.lib().display()));
    let compiled = run(&mut command);
    assert!(compiled.success, "{source}: {}", compiled.output);
    program
}

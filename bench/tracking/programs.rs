//! Programs, alone and under tools that watch them: how much longer they take.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use kref_bench::{Awake, Estimate, Pace, compile, median, verdict};
use kref_c_tests::{run, scratch};

/// A way to run a program.
struct Way {
    name: &'static str,
    program: PathBuf,
    /// The words before the program on the command line.
    tool: Vec<String>,
    /// KREF_OPTIONS.
    options: &'static str,
    rounds: usize,
    /// The most that the way may take, as a multiple of another way.
    goal: Option<(f64, usize)>,
}

/// The seconds of a run.
struct Run {
    elapsed: f64,
    processor: f64,
}

/// The tables: the example server, and a program that does little else than to get and put.
pub fn tables(cache: &Path, pace: Pace) -> String {
    let sanitized = ["-g", "-pthread", "-fsanitize=address"];
    let server = compile_server("server", &["-g", "-pthread"]);
    let on_server = [
        ways(&server, pace, 1.1),
        vec![Way {
            rounds: pace.rounds(12),
            goal: Some((10.0, 0)),
            ..tracked("tracked, chaos=1", "track=1:chaos=1", &server, pace)
        }],
        tools(&server, &compile_server("server-asan", &sanitized), pace),
    ];
    let mut text = table(
        "the server, 100000 requests",
        on_server.into_iter().flatten().collect(),
        &["100000"],
    );
    let sanitized = compile("bench/tracking/cache.c", "cache-asan", &sanitized);
    for (title, arguments) in [
        ("a cache, 1000000 lookups, 1 thread", &["1000000", "1"]),
        ("a cache, 500000 lookups, 2 threads", &["500000", "2"]),
    ] {
        let chaos = tracked("tracked, chaos=1", "track=1:chaos=1", cache, pace);
        // A program with one thread has no race.
        let goal = if arguments[1] == "1" { (1.1, 1) } else { (10.0, 0) };
        let chaos = Way { rounds: pace.rounds(12), goal: Some(goal), ..chaos };
        let ways = [ways(cache, pace, 3.0), vec![chaos], tools(cache, &sanitized, pace)];
        let ways = ways.into_iter().flatten().collect();
        text += &format!("\n{}", table(title, ways, arguments));
    }
    text
}

/// The server with the option `sample=1/100`. The option is for programs that run long, so with 400000 requests the server
/// runs for about four seconds. The table with 1 request shows how long the start and the end of tracking take.
pub fn sampled(pace: Pace) -> String {
    let server = compile_server("server", &["-g", "-pthread"]);
    let table = |title, requests, rounds, goal| {
        let untracked = plain("untracked", &server, pace.rounds(rounds));
        let sampled = tracked("tracked, sample=1/100", "track=1:sample=1/100", &server, pace);
        let sampled = Way { goal, rounds: untracked.rounds, ..sampled };
        table(title, vec![untracked, sampled], &[requests])
    };
    let goal = Some((1.03, 0));
    let start = table("the server, 1 request", "1", 30, None);
    let asleep = table("the server, 400000 requests", "400000", 30, goal);
    let awake = match Awake::ask() {
        Ok(_awake) => table("the same, no processor sleeps", "400000", 60, goal),
        Err(error) => format!("left out: the same, no processor sleeps: {error}\n"),
    };
    format!("{start}\n{asleep}\n{awake}")
}

fn compile_server(name: &str, words: &[&str]) -> PathBuf {
    compile("examples/server/server.c", name, words)
}

fn plain(name: &'static str, program: &Path, rounds: usize) -> Way {
    Way { name, program: program.into(), tool: vec![], options: "", rounds, goal: None }
}

fn tracked(name: &'static str, options: &'static str, program: &Path, pace: Pace) -> Way {
    Way { options, ..plain(name, program, pace.rounds(40)) }
}

/// Untracked and tracked, with the goal of the latter.
fn ways(program: &Path, pace: Pace, most: f64) -> Vec<Way> {
    let untracked = plain("untracked", program, pace.rounds(40));
    vec![untracked, Way { goal: Some((most, 0)), ..tracked("tracked", "track=1", program, pace) }]
}

/// The tools that other programmers use.
fn tools(program: &Path, sanitized: &Path, pace: Pace) -> Vec<Way> {
    let file = scratch().join("bench/heaptrack").display().to_string();
    let tool = |name, words: &[&str], rounds| Way {
        tool: words.iter().map(|word| word.to_string()).collect(),
        ..plain(name, program, pace.rounds(rounds))
    };
    vec![
        tool("heaptrack", &["heaptrack", "-o", &file], 24),
        plain("ASan, its leak checker", sanitized, pace.rounds(24)),
        tool("valgrind memcheck", &["valgrind", "-q"], 3),
        tool("valgrind helgrind", &["valgrind", "-q", "--tool=helgrind"], 3),
    ]
}

/// A table, and a line for each tool that is missing.
fn table(title: &str, ways: Vec<Way>, arguments: &[&str]) -> String {
    let (ways, missing): (Vec<_>, Vec<_>) =
        ways.into_iter().partition(|way| way.tool.first().is_none_or(|tool| is_here(tool)));
    assert_tracked(&ways[0].program);
    let runs = runs(&ways, arguments);
    let mut text = format!("{title:37}{:>8}{:>9}{:>15}", "s", "ratio", "95 %");
    let _ = writeln!(text, "{:>18}{:>9}", "s of processors", "ratio");
    for (way, own) in ways.iter().zip(&runs) {
        let _ = writeln!(text, "{}", row(way, own, &runs));
    }
    for way in missing {
        let _ = writeln!(text, "left out: {}, which is not installed", way.name);
    }
    text
}

/// The runs of each way. All take turns; a slow tool has fewer rounds.
fn runs(ways: &[Way], arguments: &[&str]) -> Vec<Vec<Run>> {
    let mut runs: Vec<_> = ways.iter().map(|_| vec![]).collect();
    for round in 0..ways[0].rounds {
        for (way, runs) in ways.iter().zip(&mut runs).filter(|(way, _)| round < way.rounds) {
            runs.push(way.run(arguments));
        }
    }
    runs
}

fn row(way: &Way, own: &[Run], all: &[Vec<Run>]) -> String {
    let seconds = |of: fn(&Run) -> f64| median(own.iter().map(of).collect());
    let ratio = |of: fn(&Run) -> f64, to: usize| {
        Estimate::of(own.iter().zip(&all[to]).map(|(own, other)| of(own) / of(other)).collect())
    };
    let (elapsed, processor) = (ratio(|run| run.elapsed, 0), ratio(|run| run.processor, 0));
    let verdict = way.goal.map_or(String::new(), |(most, to)| {
        let of = if to == 0 { "" } else { " of tracked" };
        format!("  {} {most:.2}{of}", verdict(most, ratio(|run| run.elapsed, to)))
    });
    format!(
        "{:37}{:8.3}{:9.2}{elapsed:>15}{:18.2}{:9.2}{verdict}",
        way.name,
        seconds(|run| run.elapsed),
        elapsed.median,
        seconds(|run| run.processor),
        processor.median,
    )
}

/// Whether a command is installed.
pub fn is_here(tool: &str) -> bool {
    run(Command::new(tool).arg("--version")).success
}

/// A program that does not find its tracker would seem to be the fastest.
fn assert_tracked(program: &Path) {
    let mut command = Command::new(program);
    let ended = command.arg("1000").env("KREF_OPTIONS", "track=1:summary=1").output();
    let said = String::from_utf8_lossy(&ended.expect("the program runs").stderr).into_owned();
    assert!(said.contains("objects tracked, 0 found"), "it is not tracked:\n{said}");
}

impl Way {
    fn run(&self, arguments: &[&str]) -> Run {
        let program = self.program.to_str().expect("UTF-8");
        let mut line = self.tool.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(line.next().expect("a program"));
        command.args(line).args(arguments).env("KREF_OPTIONS", self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        #[expect(clippy::zombie_processes, reason = "`wait` below waits, for the child's rusage")]
        let child = command.spawn().expect("the tool was there before");
        let processor = wait(child.id(), self.name);
        Run { elapsed: start.elapsed().as_secs_f64(), processor }
    }
}

/// Waits for a child, and returns the processor time of the child and of the children that the child
/// waited for.
fn wait(child: u32, name: &str) -> f64 {
    // SAFETY: rusage has integers only, for which zero bytes are a value.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: both pointers are to whole objects, and nothing else waits for this child.
    let waited = unsafe { libc::wait4(child as i32, &mut status, 0, &mut usage) };
    assert!(waited == child as i32 && status == 0, "{name} failed: {status}");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

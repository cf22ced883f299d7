//! A program, alone and under tools that watch it: how much longer it takes.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use kref_bench::{Estimate, Pace, median, verdict};
use kref_c_tests::{run, scratch};

/// The number of requests that the server gets in a run.
const REQUESTS: &str = "100000";
/// The goal: how many times as long a tracked program may take.
const MOST: f64 = 3.0;

/// A way to run the program.
struct Way {
    name: &'static str,
    /// The words before the program on the command line.
    tool: Vec<String>,
    options: Option<&'static str>,
    rounds: usize,
    goal: Option<f64>,
}

/// The seconds of a run.
struct Run {
    elapsed: f64,
    processor: f64,
}

fn ways(pace: Pace) -> Vec<Way> {
    let file = scratch().join("bench/heaptrack").display().to_string();
    let way = |name, tool: &[&str], rounds| Way {
        name,
        tool: tool.iter().map(|word| word.to_string()).collect(),
        options: None,
        rounds: pace.rounds(rounds),
        goal: None,
    };
    vec![
        way("untracked", &[], 40),
        Way { options: Some("track=1"), goal: Some(MOST), ..way("KREF_OPTIONS=track=1", &[], 40) },
        way("heaptrack", &["heaptrack", "-o", &file], 20),
        way("valgrind memcheck", &["valgrind", "-q"], 3),
        way("valgrind helgrind", &["valgrind", "-q", "--tool=helgrind"], 3),
    ]
}

/// The table, and a line for each tool that is missing.
pub fn table(program: &Path, pace: Pace) -> String {
    let (ways, missing): (Vec<_>, Vec<_>) =
        ways(pace).into_iter().partition(|way| way.tool.first().is_none_or(|tool| is_here(tool)));
    assert_tracked(program);
    let runs = runs(&ways, program);
    let mut text =
        format!("{:30}{:>8}{:>9}{:>15}", "the server, 100000 requests", "s", "ratio", "95 %");
    let _ = writeln!(text, "{:>18}{:>9}", "s of processors", "ratio");
    for (way, own) in ways.iter().zip(&runs) {
        let _ = writeln!(text, "{}", row(way, own, &runs[0]));
    }
    for way in missing {
        let _ = writeln!(text, "left out: {}, which is not installed", way.name);
    }
    text
}

/// The runs of each way. All take turns; a slow tool has fewer rounds.
fn runs(ways: &[Way], program: &Path) -> Vec<Vec<Run>> {
    let mut runs: Vec<_> = ways.iter().map(|_| vec![]).collect();
    for round in 0..ways[0].rounds {
        for (way, runs) in ways.iter().zip(&mut runs).filter(|(way, _)| round < way.rounds) {
            runs.push(way.run(program));
        }
    }
    runs
}

fn row(way: &Way, own: &[Run], first: &[Run]) -> String {
    let seconds = |of: fn(&Run) -> f64| median(own.iter().map(of).collect());
    let ratio = |of: fn(&Run) -> f64| {
        Estimate::of(own.iter().zip(first).map(|(own, first)| of(own) / of(first)).collect())
    };
    let (elapsed, processor) = (ratio(|run| run.elapsed), ratio(|run| run.processor));
    let verdict =
        way.goal.map_or(String::new(), |most| format!("  {} {most:.2}", verdict(most, elapsed)));
    format!(
        "{:30}{:8.2}{:9.2}{elapsed:>15}{:18.2}{:9.2}{verdict}",
        way.name,
        seconds(|run| run.elapsed),
        elapsed.median,
        seconds(|run| run.processor),
        processor.median,
    )
}

fn is_here(tool: &str) -> bool {
    run(Command::new(tool).arg("--version")).success
}

/// A server that does not find its tracker would seem to be the fastest.
fn assert_tracked(program: &Path) {
    let mut command = Command::new(program);
    let ended = command.arg("1000").env("KREF_OPTIONS", "track=1:summary=1").output();
    let said = String::from_utf8_lossy(&ended.expect("the server runs").stderr).into_owned();
    assert!(said.contains("objects tracked, 0 found"), "it is not tracked:\n{said}");
}

impl Way {
    fn run(&self, program: &Path) -> Run {
        let mut line =
            self.tool.iter().map(String::as_str).chain([program.to_str().expect("UTF-8")]);
        let mut command = Command::new(line.next().expect("a program"));
        command.args(line).arg(REQUESTS).env_remove("KREF_OPTIONS");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.options.map(|options| command.env("KREF_OPTIONS", options));
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

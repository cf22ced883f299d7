//! A program, as it is and under tools that watch it: how much longer it takes.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use kref_c_tests::{run, scratch};

use crate::{median, median_ratio, rounds};

/// What the server is asked for in a run.
const REQUESTS: &str = "100000";
/// How much slower a tracked program may be, by the goal that was set.
const LIMIT: f64 = 3.0;

/// A way to run the program.
struct Way {
    name: &'static str,
    /// What comes before the program on the command line.
    tool: Vec<String>,
    options: Option<&'static str>,
    rounds: usize,
    limit: Option<f64>,
}

/// What a run took, in seconds.
#[derive(Clone, Copy)]
struct Run {
    elapsed: f64,
    processor: f64,
}

fn ways() -> Vec<Way> {
    let file = scratch().join("bench/heaptrack").display().to_string();
    let way = |name, tool: &[&str], times| Way {
        name,
        tool: tool.iter().map(|word| word.to_string()).collect(),
        options: None,
        rounds: rounds(times),
        limit: None,
    };
    vec![
        way("untracked", &[], 40),
        Way {
            options: Some("track=1"),
            limit: Some(LIMIT),
            ..way("KREF_OPTIONS=track=1", &[], 40)
        },
        way("heaptrack", &["heaptrack", "-o", &file], 20),
        way("valgrind memcheck", &["valgrind", "-q"], 3),
        way("valgrind helgrind", &["valgrind", "-q", "--tool=helgrind"], 3),
    ]
}

/// The table, and a line for each tool that is missing.
pub fn table(program: &Path) -> String {
    let (ways, missing): (Vec<_>, Vec<_>) =
        ways().into_iter().partition(|way| way.tool.first().is_none_or(|tool| is_here(tool)));
    assert_tracked(program);
    let mut runs = vec![Vec::new(); ways.len()];
    for round in 0..ways[0].rounds {
        for (way, runs) in ways.iter().zip(&mut runs).filter(|(way, _)| round < way.rounds) {
            runs.push(way.run(program));
        }
    }
    let mut text = format!("{:30}{:>8}{:>8}", "the server, 100000 requests", "s", "ratio");
    let _ = writeln!(text, "{:>18}{:>8}", "s of processors", "ratio");
    for (way, own) in ways.iter().zip(&runs) {
        let column = |what: fn(&Run) -> f64| {
            let own: Vec<_> = own.iter().map(what).collect();
            let first: Vec<_> = runs[0].iter().map(what).collect();
            (median_ratio(&own, &first), median(own))
        };
        let (slower, elapsed) = column(|run| run.elapsed);
        let (dearer, processor) = column(|run| run.processor);
        let verdict = way.limit.map_or(String::new(), |limit| {
            format!("  {} {limit:.2}", if slower <= limit { "within" } else { "ABOVE" })
        });
        let _ = write!(text, "{:30}{elapsed:8.2}{slower:8.2}", way.name);
        let _ = writeln!(text, "{processor:18.2}{dearer:8.2}{verdict}");
    }
    for way in missing {
        let _ = writeln!(text, "{}: left out, {} is not on this machine", way.name, way.tool[0]);
    }
    text
}

fn is_here(tool: &str) -> bool {
    run(Command::new(tool).arg("--version")).success
}

/// A tracker that is not found would be the fastest.
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
        #[expect(clippy::zombie_processes, reason = "`wait` waits, and learns what it took")]
        let child = command.spawn().expect("it was found before");
        let processor = wait(child.id(), self.name);
        Run { elapsed: start.elapsed().as_secs_f64(), processor }
    }
}

/// The processors' time that a child took, with what it waited for itself.
fn wait(child: u32, name: &str) -> f64 {
    // SAFETY: numbers, for which zero is one.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: both are ours to fill, and nobody else waits for this child.
    let waited = unsafe { libc::wait4(child as i32, &mut status, 0, &mut usage) };
    assert!(waited == child as i32 && status == 0, "{name} failed: {status}");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

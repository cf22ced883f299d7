//! kref-track or its judge is killed, or stopped, while a program runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use kref_c_tests::kref_track::{compile, kref_track};
use kref_c_tests::{Compiler, plain};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("a-killed-kref-track-takes-its-program-along", killed_command),
        plain("a-program-survives-kref-track", survives),
        plain("a-killed-judge", killed_judge),
        plain("a-killed-judge-that-the-program-has-started", killed_own_judge),
        plain("lossy", lossy),
    ]
}

/// A program that runs, and waits for a line of its standard input.
struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    /// The judge.
    judge: i32,
}

impl Running {
    /// Starts the command. The program is its child if `command` is kref-track's.
    fn start(mut command: Command) -> Self {
        let is_tracked_from_outside = command.get_program() != "env";
        for name in ["KREF_TRACK_LIBRARY", "KREF_TRACK_SESSION"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut String::new()).expect("the program is ready");
        let own = child.id() as i32;
        let pid = if is_tracked_from_outside { program_of(own) } else { own };
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
        let judge = maps.split("/memfd:kref-track.").nth(1).expect("the shared memory");
        let judge = judge.split(|c: char| !c.is_ascii_digit()).next().expect("a number");
        Self { child, input, output, judge: judge.parse().expect("a number") }
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").expect("the program waits");
    }

    /// The status, the rest of standard output, and standard error.
    fn end(mut self) -> (std::process::ExitStatus, String, String) {
        drop(self.input);
        let (mut out, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut out).expect("UTF-8");
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut errors).expect("UTF-8");
        (self.child.wait().expect("its end"), out, errors)
    }
}

/// The child of kref-track that has no kref-track's name: the other one is the judge.
fn program_of(command: i32) -> i32 {
    let children = format!("/proc/{command}/task/{command}/children");
    let children = std::fs::read_to_string(children).expect("kref-track runs");
    let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut pids = children.split_whitespace().filter(|pid| name(pid) != "kref-track\n");
    pids.next().expect("the program").parse().expect("a number")
}

fn signal(pid: i32, signal: libc::c_int) {
    // SAFETY: a process of this test.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", std::io::Error::last_os_error());
}

fn ends(mut command: Command) -> Running {
    command.arg(compile(Compiler::any(), "tracker/reports/ends", &["-O1"])).arg("wait");
    Running::start(command)
}

fn own_judge() -> Command {
    let mut command = Command::new("env");
    command.env("KREF_OPTIONS", "track=1");
    command
}

fn killed_command() {
    let running = ends(kref_track(&[]));
    signal(running.child.id() as i32, libc::SIGKILL);
    // The pipe ends when program and judge have ended: the program has not read a line.
    let (_, out, report) = running.end();
    assert!(!out.contains("went on"), "{out}");
    assert!(report.contains("was ended by SIGKILL") || report.contains("without exit"), "{report}");
}

fn survives() {
    let mut running = ends(kref_track(&["--survive"]));
    signal(running.child.id() as i32, libc::SIGKILL);
    running.child.wait().expect("its end");
    running.go_on();
    let (_, out, _) = running.end();
    assert!(out.contains("went on"), "{out}");
}

/// The program goes on, and kref-track says that there is no report.
fn killed_judge() {
    let mut running = ends(kref_track(&[]));
    signal(running.judge, libc::SIGKILL);
    running.go_on();
    let (status, out, said) = running.end();
    assert!(status.success() && out.contains("went on"), "{status} {out} {said}");
    assert!(said.contains("the judge has ended before") && said.lines().count() == 1, "{said}");
}

/// The program goes on untracked, and says so once.
fn killed_own_judge() {
    let mut running = ends(own_judge());
    signal(running.judge, libc::SIGKILL);
    running.go_on();
    let (status, out, said) = running.end();
    assert!(status.success() && out.contains("went on"), "{status} {out} {said}");
    assert!(said.contains("goes on untracked") && said.lines().count() == 1, "{said}");
}

/// While the judge stands still, the program does not wait; the report says how much was lost.
fn lossy() {
    let mut command = kref_track(&["--lossy"]);
    command.arg(compile(Compiler::any(), "tracker/reports/lossy", &["-O1"]));
    let mut running = Running::start(command);
    signal(running.judge, libc::SIGSTOP);
    running.go_on();
    running.output.read_line(&mut String::new()).expect("it is done");
    signal(running.judge, libc::SIGCONT);
    running.go_on();
    let (status, _, report) = running.end();
    assert!(status.success(), "{status} {report}");
    assert!(report.contains("events not recorded: "), "{report}");
}

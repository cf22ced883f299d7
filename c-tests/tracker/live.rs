//! kref-track beside programs that run: what they hold now, what hangs, what they share with others and execute, and
//! what becomes of them when kref-track ends. The programs are in live/.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kref_c_tests::kref_track::{compile, contains, kref_track, silent, track};
use kref_c_tests::{Compiler, Prefix, c_tests, plain, run, scratch};
use libtest_mimic::Arguments;

fn main() {
    let tests = vec![
        plain("live", live),
        plain("live-beside-a-program", live_beside),
        plain("a-thread-that-waits-for-itself", waits_for_itself),
        plain("a-thread-that-waits-for-another", waits_for_another),
        plain("a-mutex-that-stays-locked", stays_locked),
        plain("json-of-a-hang", json_of_a_hang),
        plain("nobody-hangs", || silent("robustness/threads", &["--stuck", "30"])),
        plain("shared-memory", || silent("live/shared", &[])),
        plain("what-a-child-had-at-its-fork", || silent("live/forks", &[])),
        plain("executes-a-program-that-is-not-tracked", executes),
        plain("a-trace-alone", a_trace_alone),
        plain("the-command-is-killed", command_is_killed),
        plain("the-judge-is-killed", judge_is_killed),
        plain("the-judge-has-no-memory", no_memory),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn build(name: &str) -> PathBuf {
    compile(Compiler::any(), &format!("tracker/live/{name}"), &["-O1"])
}

/// The place that a program's source marks with a comment.
fn place(name: &str, mark: &str) -> String {
    let source = std::fs::read_to_string(c_tests().join(format!("tracker/{name}.c")));
    let source = source.expect("a source file");
    let mark = format!("/* {mark} */");
    let line = source.lines().position(|line| line.contains(&mark)).expect("a mark");
    format!("tracker/{name}.c:{}", line + 1)
}

/// A program that waits for its input to end. It is killed if the test fails.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Waiting {
    fn start(command: &mut Command) -> Self {
        for name in ["KREF_OPTIONS", "KREF_TRACK_LIBRARY", "KREF_TRACK_SESSION"] {
            if !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(piped.spawn().expect("it starts"))
    }

    /// Waits for a line with these words on standard output or error.
    fn wait_for(out: &mut impl BufRead, words: &str) -> String {
        let mut all = String::new();
        while !all.lines().last().is_some_and(|line| line.contains(words)) {
            let read = out.read_line(&mut all).expect("text");
            assert!(read > 0, "no {words:?} in\n{all}");
        }
        all
    }

    fn out(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.0.stdout.take().expect("a pipe"))
    }

    fn error(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.0.stderr.take().expect("a pipe"))
    }

    /// Ends its input, and waits for its end. Returns its status.
    fn end(&mut self) -> Option<i32> {
        drop(self.0.stdin.take());
        self.0.wait().expect("its end").code()
    }
}

/// The processes whose parent is this one.
fn children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("the children");
    children.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

/// The child of kref-track's that runs this program, and the judge.
fn program_and_judge(command: u32, program: &str) -> (u32, u32) {
    let name = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).expect("it runs");
    let is_program = |pid: &u32| name(*pid).to_string_lossy().contains(program);
    let (programs, judges): (Vec<_>, Vec<_>) = children(command).into_iter().partition(is_program);
    (programs[0], judges[0])
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

fn wait_for_end(pid: u32) {
    let since = Instant::now();
    while is_running(pid) {
        assert!(since.elapsed() < Duration::from_secs(60), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The first row of the second look, when there are rates, is that of what grows.
fn check_look(out: &mut impl BufRead) {
    Waiting::wait_for(out, "growth/s");
    Waiting::wait_for(out, "growth/s");
    let mut row = String::new();
    out.read_line(&mut row).expect("a row");
    let words: Vec<_> = row.split_whitespace().collect();
    assert!(words.len() >= 6 && words[0].starts_with('+') && words[0] != "+0", "{row}");
    assert!(row.contains(", \"cache\""), "{row}");
    assert!(!row.contains('\x1b'), "{row:?}");
}

fn live() {
    let mut program = Waiting::start(kref_track(&["--live"]).arg(build("grows")));
    check_look(&mut program.error());
    assert_eq!(program.end(), Some(0));
}

fn live_beside() {
    let log = ["--log-path", "/dev/null"];
    let mut program = Waiting::start(kref_track(&log).arg(build("grows")));
    Waiting::wait_for(&mut program.out(), "ready");
    let (pid, _) = program_and_judge(program.0.id(), "grows");
    let mut beside = Waiting::start(kref_track(&["-p", &pid.to_string(), "--live"]).env("A", "B"));
    check_look(&mut beside.out());
    assert_eq!((program.end(), beside.end()), (Some(0), Some(0)));
}

fn waits_for_itself() {
    let mut program = Waiting::start(kref_track(&["--stuck", "1"]).arg(build("stuck")));
    let mut error = program.error();
    let told = Waiting::wait_for(&mut error, "    main ");
    for words in [
        "kref-track: a release function has not returned for ",
        "  object #1 at 0x",
        "  it waits for a mutex that its own thread holds, at 0x",
        "  released by thread 1 (",
        &place("live/stuck", "HERE"),
    ] {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
    let (pid, _) = program_and_judge(program.0.id(), "stuck");
    // SAFETY: our child's child.
    unsafe { libc::kill(pid as i32, libc::SIGTERM) };
    let mut rest = String::new();
    error.read_to_string(&mut rest).expect("text");
    assert!(!rest.contains("has not returned"), "told once: {rest}");
}

/// It counts for the exit status. The right twin's release function unlocks the mutex.
fn stays_locked() {
    let start = |arguments: &[&str]| {
        let mut command = kref_track(&["--exitcode", "9"]);
        Waiting::start(command.arg(build("stays-locked")).args(arguments))
    };
    let mut program = start(&[]);
    let mut error = program.error();
    let told = Waiting::wait_for(&mut error, &place("live/stays-locked", "HERE"));
    assert!(told.contains(" waits for a mutex that it holds itself, at 0x"), "{told}");
    assert_eq!(program.end(), Some(9));
    let mut rest = String::new();
    error.read_to_string(&mut rest).expect("text");
    assert!(!rest.contains("still held"), "nothing else was found: {rest}");
    let mut right = start(&["right"]);
    let mut error = right.error();
    assert_eq!(right.end(), Some(0));
    let mut all = String::new();
    error.read_to_string(&mut all).expect("text");
    assert_eq!(all, "");
}

fn waits_for_another() {
    let command = &mut kref_track(&["--stuck", "1"]);
    let mut program = Waiting::start(command.arg(build("stuck")).arg("other"));
    let mut error = program.error();
    let told = Waiting::wait_for(&mut error, "      hold ");
    for words in [
        "  it waits for a mutex that thread 2 (",
        "    its last call, put of the count at 0x",
        "  thread 2 (",
    ] {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
    let mut input = program.0.stdin.take().expect("a pipe");
    input.write_all(b"\n").expect("it reads");
    assert_eq!(program.end(), Some(0));
}

fn json_of_a_hang() {
    let command = &mut kref_track(&["--stuck", "1", "--format", "json"]);
    let mut program = Waiting::start(command.arg(build("stuck")));
    let told = Waiting::wait_for(&mut program.error(), "\"kind\":\"stuck\"");
    let report: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&report["waits"]["for"], &report["object"]), (&"mutex".into(), &1.into()));
    assert_eq!(report["waits"]["holder"], report["by"]["thread"]["tid"]);
}

fn executes() {
    for how in ["0", "0.6"] {
        let ended = track("live/executes", &[], &[how]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let place = place("live/executes", "HERE");
        contains(&ended, &["3 references on 1 object are still held: process ", &place]);
        contains(&ended, &[" executed another program\n"]);
    }
    // If the parent has waited for a child before kref-track looks, nothing tells that the child executed a program.
    let ended = track("live/executes", &["--exitcode", "9"], &["child", "0.6"]);
    assert_eq!(ended.status, Some(9), "{ended:?}");
    let place = place("live/executes", "HERE");
    contains(&ended, &["1 reference on 1 object is still held: process "]);
    contains(&ended, &[" executed another program\n", "2 references on 1 object", &place]);
}

/// KREF_OPTIONS=track=file: no report, but a trace, from which the report is made where the program is not.
fn a_trace_alone() {
    let folder = scratch().join("traces");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let copy = folder.join("program");
    let program = compile(Compiler::any(), "tracker/reports/holders", &["-O1"]);
    std::fs::copy(program, &copy).expect("a copy");
    let judge = Prefix::plain().kref_track();
    let mut command = Command::new(&copy);
    command.current_dir(&folder).env("KREF_OPTIONS", "track=file");
    let ended = run(command.env("KREF_TRACK_COMMAND", judge));
    assert!(ended.success && ended.output.is_empty(), "{ended:?}");
    std::fs::remove_file(&copy).expect("our copy");
    let entries = std::fs::read_dir(&folder).expect("the folder");
    let traces: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    assert!(traces.len() == 1 && traces[0].to_string_lossy().ends_with(".trace"), "{traces:?}");
    let told = run(kref_track(&["report"]).arg(&traces[0]));
    contains(&told, &["15 references of \"index\", on 15 objects", "    serve ", "holders.c:"]);
}

fn command_is_killed() {
    for survives in [false, true] {
        let flag: &[&str] = if survives { &["--survive"] } else { &[] };
        let mut program = Waiting::start(kref_track(flag).arg(build("grows")));
        Waiting::wait_for(&mut program.out(), "ready");
        let (pid, _) = program_and_judge(program.0.id(), "grows");
        program.0.kill().expect("our child");
        if survives {
            assert!(is_running(pid));
            drop(program.0.stdin.take());
        }
        wait_for_end(pid);
    }
}

/// The program goes on, and ends as it would.
fn judge_is_killed() {
    let mut program = Waiting::start(kref_track(&[]).arg(build("grows")));
    Waiting::wait_for(&mut program.out(), "ready");
    let (_, judge) = program_and_judge(program.0.id(), "grows");
    // SAFETY: our child's child.
    unsafe { libc::kill(judge as i32, libc::SIGKILL) };
    let mut error = program.error();
    assert_eq!(program.end(), Some(0));
    Waiting::wait_for(&mut error, "the judge has ended before");
}

/// Each allocation of the judge fails, one after the other: the judge ends with a line, and the program as it would.
fn no_memory() {
    let fails = compile(Compiler::any(), "tracker/live/fails", &["-shared", "-fPIC"]);
    let program = compile(Compiler::any(), "tracker/reports/holders", &["-O1"]);
    let mut at = 1;
    loop {
        let mut command = kref_track(&["--log-path", "/dev/null", "--flamegraph", "/dev/null"]);
        command.arg(&program).env("LD_PRELOAD", &fails).env("FAILS_AT", at.to_string());
        let ended = run(&mut command);
        if ended.success && ended.output.is_empty() {
            break; // it needs no more memory
        }
        // The second line is the Rust library's, for its own memory.
        let lines = ["kref-track: out of memory: nothing more is tracked", "memory allocation of "];
        assert!(lines.iter().any(|line| ended.output.contains(line)), "{at}: {ended:?}");
        let started = !ended.output.contains("the judge did not start");
        assert!(ended.success == started, "{at}: {ended:?}");
        // If the judge ends before the program starts, the program asks for another one, which ends as well.
        assert!(ended.output.lines().count() <= 6, "{at}: {}", ended.output);
        // The first ones one by one, and then some.
        at += 1 + at / 8;
    }
    assert!(at > 100, "all went well after {at} allocations");
}

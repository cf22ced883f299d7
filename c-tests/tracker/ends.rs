//! Reports by the way in which a program ends, of a trace, and of a program that runs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use kref_c_tests::kref_track::{compile, contains, kref_track, track};
use kref_c_tests::{Compiler, plain, run, scratch};
use libtest_mimic::Trial;

use super::here;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("however-a-program-ends", however_it_ends),
        plain("a-daemon", a_daemon),
        plain("a-trace", a_trace),
        plain("a-running-program", a_running_program),
        plain("not-linked-with-libkref", not_linked),
    ]
}

fn however_it_ends() {
    for (how, status, signal, words) in [
        ("fault", None, Some(libc::SIGSEGV), "was ended by SIGSEGV"),
        ("kill", None, Some(libc::SIGKILL), "was ended by SIGKILL"),
        ("terminate", None, Some(libc::SIGTERM), "was ended by SIGTERM"),
        ("_exit", Some(3), None, "ended with status 3, without exit()"),
        ("quick_exit", Some(3), None, "ended with status 3, without exit()"),
        ("close", Some(0), None, "still held at exit"),
        ("exec", Some(0), None, "executed another program"),
        ("child", Some(0), None, "ended without exit()"),
    ] {
        let ended = track("reports/ends", &[], &[how]);
        assert_eq!((ended.status, ended.signal), (status, signal), "{ended:?}");
        let place = here("reports/ends");
        contains(&ended, &[words, "on 1 object ", " still held", &place]);
        let report = "kref-track: SIGSEGV in thread 1 (";
        assert_eq!(ended.output.contains(report), how == "fault", "{}", ended.output);
    }
    assert_eq!(track("reports/ends", &["--exitcode", "9"], &["_exit"]).status, Some(9));
}

/// What the parent of a daemon holds is the daemon's.
fn a_daemon() {
    let ended = track("reports/ends", &[], &["daemon"]);
    contains(&ended, &["kref-track: 2 references on 1 object are still held at exit\n"]);
    assert_eq!(ended.output.matches("still held").count(), 1, "{}", ended.output);
}

fn a_trace() {
    let trace = scratch().join("ends.trace");
    let ended = track("reports/ends", &["--trace", &trace.to_string_lossy()], &["_exit"]);
    let later = run(kref_track(&["report"]).arg(&trace));
    assert!(later.success && later.output == ended.output, "{later:?}\n{ended:?}");
    std::fs::write(&trace, "no trace").expect("our file");
    assert_eq!(run(kref_track(&["report"]).arg(&trace)).status, Some(2));
}

/// Neither stopped nor waited for.
fn a_running_program() {
    let program = compile(Compiler::any(), "tracker/reports/ends", &["-O1"]);
    let mut command = kref_track(&["--log-path", "/dev/null"]);
    command.arg(program).arg("wait").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut tracked = command.spawn().expect("kref-track");
    let mut out = BufReader::new(tracked.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("the program is ready");
    let children = format!("/proc/{0}/task/{0}/children", tracked.id());
    let children = std::fs::read_to_string(children).expect("the children of kref-track");
    let asked = |pid: &str| run(kref_track(&["-p"]).arg(pid));
    let told: Vec<_> = children.split_whitespace().map(asked).collect();
    drop(tracked.stdin.take());
    assert!(tracked.wait().expect("its end").success());
    let place = here("reports/ends");
    let held = told.iter().find(|told| told.success).unwrap_or_else(|| panic!("{told:?}"));
    contains(held, &["2 references on 1 object are held, asked by kref-track -p\n", &place]);
}

fn not_linked() {
    let ended = run(kref_track(&[]).arg("true"));
    assert!(ended.success);
    contains(&ended, &["was not tracked"]);
    // A program that it runs is tracked.
    let program = compile(Compiler::any(), "tracker/reports/inlined", &["-O1"]);
    let ended = run(kref_track(&[]).args(["sh", "-c", "\"$0\"; true"]).arg(program));
    contains(&ended, &["1 reference, on object #1"]);
    assert!(!ended.output.contains("was not tracked"), "{}", ended.output);
}

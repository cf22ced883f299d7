//! Runs the programs of attacks/ under kref-track. Each of them is right, or has one leak; and each has brought an
//! earlier tracker to crash, to hang, to damage the program's files or memory, or to print what is not so.
//!
//! | file | what it does |
//! |---|---|
//! | [`hostile`] | a program whose names would harm a terminal or a browser |
//! | attacks.rs | one test for each program: it ends as it would untracked, and its leak is reported |
//! | [`refused`] | the program's system calls are refused, its memory, its files, its /proc |

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kref_c_tests::kref_track::{compile, contains, kref_track, silent, track};
use kref_c_tests::{
    Compiler, Finished, Library, build, c_tests, folder, plain, printed, run, unless_missing,
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

#[path = "hostile.rs"]
mod hostile;
#[path = "refused.rs"]
mod refused;

fn main() {
    let mut tests = vec![
        plain("smallest-stack-of-a-thread", || small_stack("thread")),
        plain("smallest-alternate-stack", || small_stack("alternate")),
        plain("name-in-an-unloaded-plugin", name_in_a_plugin),
        plain("name-on-the-stack", name_on_the_stack),
        plain("forks-in-handlers", || no_word(&track("attacks/forks-in-handlers", &[], &[]))),
        plain("reports-in-handlers", || asks_in_handlers("report")),
        plain("exit-in-a-handler", || asks_in_handlers("exit")),
        plain("krefs-in-a-callback-of-the-loader", || silent("attacks/loader-callback", &[])),
        plain("closed-descriptors", closed_descriptors),
        plain("jumps-out-of-handlers", jumps),
        plain("coroutine", || silent("attacks/coroutine", &[])),
        plain("reports-to-a-full-pipe", blocked_reports),
        plain("replaced-file", replaced_file),
        Trial::ignorable_test("another-pid-namespace", other_namespace),
        plain("hostile-names", hostile_names),
    ];
    tests.extend(refused::tests());
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// The place that the source marks with `HERE`, as reports print it.
fn here(name: &str) -> String {
    let source = std::fs::read_to_string(c_tests().join(format!("tracker/attacks/{name}.c")));
    let source = source.expect("a source file");
    let line = source.lines().position(|line| line.contains("/* HERE */")).expect("a mark");
    format!("tracker/attacks/{name}.c:{}", line + 1)
}

/// The program ends well and prints nothing, and nothing is reported.
fn no_word(ended: &Finished) {
    assert!(ended.success && ended.output.is_empty(), "{ended:?}");
}

/// A get or put that a jump cuts off leaves an object behind, and perhaps an event that is not recorded.
fn jumps() {
    let ended = track("attacks/jumps", &["--max-memory", "16"], &[]);
    assert!(ended.success, "{ended:?}");
}

fn small_stack(which: &str) {
    no_word(&track("attacks/small-stacks", &[], &[which]));
    let ended = track("attacks/small-stacks", &["--summary"], &[which]);
    contains(&ended, &[" tracked, 0 found"]);
}

fn name_in_a_plugin() {
    let flags = ["-shared", "-fPIC"];
    let plugin = compile(Compiler::any(), "tracker/attacks/plugin", &flags);
    let ended = track("attacks/plugin-host", &[], &[&plugin.to_string_lossy()]);
    assert!(ended.success, "{ended:?}");
    contains(&ended, &["1 reference of \"plugin\"", "    plugin_hold ", &here("plugin")]);
    assert!(!ended.output.contains("\"cache\""), "{}", ended.output);
}

fn name_on_the_stack() {
    let ended = track("attacks/name-on-the-stack", &[], &[]);
    assert!(ended.success, "{ended:?}");
    contains(&ended, &["1 reference of \"user-7\"", "    hold "]);
}

fn asks_in_handlers(how: &str) {
    let ended = track("attacks/asks-in-handlers", &["--log-path", "/dev/null"], &[how]);
    no_word(&ended);
}

/// The program ends although nobody reads its report.
fn blocked_reports() {
    for how in ["fork", "cancel", "end", "jump"] {
        no_word(&track("attacks/blocked-report", &[], &[how]));
    }
    let large = track("attacks/blocked-report", &["--format=json", "--depth=64"], &["large"]);
    contains(&large, &["\"when\":\"exit\""]);
    let aborted = track("attacks/blocked-report", &[], &["abort"]);
    contains(&aborted, &["SIGABRT in thread 1", "1 reference of "]);
}

/// What the program has written to its file is there, and nothing else.
fn closed_descriptors() {
    let folder = folder("closed-descriptors");
    let (data, log) = (folder.join("data"), folder.join("log"));
    let [data_name, log_name] = [&data, &log].map(|path| path.to_string_lossy().into_owned());
    for (options, arguments, wanted) in [
        (&["--log-path", &*log_name][..], &[&*data_name][..], "DATAMORE"),
        (&["--log-path", &log_name, "--signal", "USR1"], &[&data_name, "asks"], "DATACHILDMORE"),
    ] {
        let ended = track("attacks/closed-descriptors", options, arguments);
        no_word(&ended);
        assert_eq!(std::fs::read_to_string(&data).expect("the program's file"), wanted);
        let log = std::fs::read_to_string(&log).expect("the log");
        assert!(log.contains("kref_init") && log.contains("still held at exit"), "{log}");
        assert_eq!(log.contains("asked by a signal"), arguments.len() > 1, "{log}");
    }
}

/// Each process is reported when it ends, with the lines of its files.
fn other_namespace() -> Result<Completion, Failed> {
    let ended = track("attacks/namespaces", &[], &[]);
    let may = if ended.status == Some(77) {
        Err("no new PID namespace for this user".into())
    } else {
        Ok(())
    };
    unless_missing(may, |()| {
        assert!(ended.success, "{ended:?}");
        let line = format!("    hold {}", here("namespaces"));
        // The creator's reference, and the other one.
        assert_eq!(ended.output.matches(&line).count(), 8, "{}", ended.output);
        let endings = [
            "of \"first\"",
            "of \"second\"",
            "of \"third\"",
            "of \"again\"",
            "executed another program",
            "ended without exit()",
            "at exit",
        ];
        contains(&ended, &endings);
        Ok(())
    })
}

/// The report's lines are those of the file that runs, and not of the one that has its name now.
fn replaced_file() {
    let compiler = Compiler::any();
    let program = folder("replaced-file").join("program");
    std::fs::copy(compile(compiler, "tracker/attacks/replaced", &["-O1"]), &program).expect("ours");
    let other = compile(compiler, "tracker/attacks/replaced", &["-O1", "-DREPLACEMENT"]);
    let mut command = kref_track(&[]);
    command.arg(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tracked = command.spawn().expect("kref-track");
    let mut ready = [0; 6];
    tracked.stdout.as_mut().expect("a pipe").read_exact(&mut ready).expect("it is ready");
    let beside = program.with_extension("new");
    std::fs::copy(other, &beside).expect("our file");
    std::fs::rename(&beside, &program).expect("our file");
    tracked.stdin.take().expect("a pipe").write_all(b"go\n").expect("it waits");
    let ended = tracked.wait_with_output().expect("its end");
    let report = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !report.contains("decoy"), "{report}");
    assert!(report.contains("    hold ") && report.contains(&here("replaced")), "{report}");
}

/// No control character reaches the terminal, a JSON value or the drawing, and no markup the drawing.
fn hostile_names() {
    let folder = folder("hostile-names");
    let program = hostile::program(&folder);
    let svg = folder.join("held.svg");
    let is_clean = |text: &str| !text.contains(|c: char| c.is_control() && c != '\n');
    let draw = format!("--flamegraph={}", svg.display());
    let ended = run(kref_track(&[&draw]).arg(&program));
    assert!(ended.success && is_clean(&ended.output), "{:?}", ended.output);
    contains(&ended, &["e\\x1b]0;pwned\\x07 \"quote", "ev\\x1b[31mil;", "</title><script>"]);
    let svg = std::fs::read_to_string(svg).expect("a drawing");
    assert!(is_clean(&svg) && svg.contains("pwned"), "{svg:?}");
    for markup in ["alert(1)</script>", "<script>alert", "<b onload", "</text><script"] {
        assert!(!svg.contains(markup), "{markup} in {svg}");
    }
    let json = run(kref_track(&["--format", "json"]).arg(&program));
    assert!(json.success && is_clean(&json.output), "{:?}", json.output);
    for line in json.output.lines() {
        let value = serde_json::from_str::<serde_json::Value>(line);
        assert!(value.is_ok(), "{value:?}: {line}");
    }
    assert!(json.output.contains("pwned"), "{}", json.output);
    // Without symbols the file's name stands for the function's.
    printed(Command::new("strip").arg(&program));
    let stripped = run(kref_track(&[]).arg(&program));
    assert!(stripped.success && is_clean(&stripped.output), "{:?}", stripped.output);
    contains(&stripped, &["h\\x1b[5mostile<script>+0x"]);
}

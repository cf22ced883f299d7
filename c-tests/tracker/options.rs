//! The options of kref-track, its exit status, and what the shells complete.

use std::process::Command;

use kref_c_tests::kref_track::{compile, contains, kref_track, track};
use kref_c_tests::{Compiler, Prefix, plain, run, scratch};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("filter", filter),
        plain("sample", sample),
        plain("slots-use-sequences-with-sample-only", sequences),
        plain("exitcode-and-log-path", exitcode_and_log_path),
        plain("signal", signal),
        plain("status-and-signals-are-passed-on", status),
        plain("a-program-that-is-stopped-and-continued", stopped),
        plain("completions", completions),
        plain("options-that-are-wrong", options_that_are_wrong),
        plain("watermark", watermark),
        plain("depth", depth),
        plain("what-is-preloaded", preloaded),
    ]
}

fn filter() {
    for (filter, told) in [("object_*", true), ("*holders.c", true), ("session_*", false)] {
        let ended = track("reports/holders", &["--filter", filter], &[]);
        assert_eq!(ended.output.is_empty(), !told, "{filter}: {}", ended.output);
    }
}

fn sample() {
    let ended = track("reports/many", &["--sample", "1/10"], &["1000"]);
    contains(&ended, &["kref-track: 200 references on 100 objects are still held"]);
    // 40 children create 5 objects each. About one child in ten creates an object that is chosen.
    let chosen = track("reports/children", &["--sample", "1/50"], &["40", "5"]).output;
    let chosen = chosen.matches("1 reference on 1 object is still held").count();
    assert!((1..=12).contains(&chosen), "{chosen} of 200 objects");
}

/// With `--sample` a tracked program uses restartable sequences if it uses them untracked. Without `--sample` it uses none.
fn sequences() {
    let program = compile(Compiler::any(), "tracker/reports/sequences", &["-O1"]);
    let tracked = |options: &[&str]| run(kref_track(options).arg(&program)).output;
    let untracked = run(&mut Command::new(&program)).output;
    assert!(untracked.starts_with("sequences: "), "{untracked}");
    assert_eq!(tracked(&["--sample", "1/1"]), untracked);
    assert_eq!(tracked(&[]), "sequences: 0\n");
}

fn exitcode_and_log_path() {
    let log = scratch().join("track.log.%p");
    let log = log.to_string_lossy();
    let ended = track("reports/holders", &["--exitcode", "23", "--log-path", &log], &[]);
    assert_eq!(ended.status, Some(23));
    assert!(ended.output.is_empty(), "{}", ended.output);
    assert_eq!(track("robustness/threads", &["--exitcode", "23"], &[]).status, Some(0));
    let logs = std::fs::read_dir(scratch()).expect("the folder").filter_map(|entry| {
        let path = entry.expect("an entry").path();
        path.file_name()?.to_str()?.starts_with("track.log.").then_some(path)
    });
    for log in logs {
        let text = std::fs::read_to_string(&log).expect("a log");
        std::fs::remove_file(&log).expect("our log");
        assert!(text.contains("15 references on 15 objects"), "{text}");
    }
}

fn signal() {
    let log = scratch().join(format!("signal.{}.log", std::process::id()));
    let path = log.to_string_lossy().into_owned();
    let ended = track("reports/on-request", &["--signal", "USR1", "--log-path", &path], &[&path]);
    let text = std::fs::read_to_string(&log).expect("the report");
    std::fs::remove_file(&log).expect("our log");
    assert!(ended.success, "{ended:?}");
    assert!(text.contains("asked by a signal") && text.contains("    late "), "{text}");
}

fn status() {
    let mut ended = run(kref_track(&[]).args(["sh", "-c", "exit 5"]));
    assert_eq!(ended.status, Some(5));
    ended = run(kref_track(&[]).args(["sh", "-c", "kill -TERM $$"]));
    assert_eq!(ended.signal, Some(libc::SIGTERM));
    contains(&ended, &["was ended by signal 15"]);
    ended = run(kref_track(&[]).arg("/nonexistent"));
    assert_eq!(ended.status, Some(2));
}

/// SIGSTOP and SIGCONT are for the program alone. The command would stay stopped.
fn stopped() {
    // The pause gives a command that would stop itself the time to do so.
    let script = "
        (until grep -q '^State:.T' /proc/$$/status; do :; done; sleep 0.2; kill -CONT $$) &
        kill -STOP $$
        wait
        grep -q '^State:.T' /proc/$PPID/status && kill -CONT $PPID && exit 1
        exit 7";
    let ended = run(kref_track(&[]).args(["sh", "-c", script]));
    assert_eq!(ended.status, Some(7), "{ended:?}");
}

/// Each option that --help shows is completed by each shell.
fn completions() {
    let help = run(&mut kref_track(&["--help"])).output;
    let share = Prefix::plain().lib().with_file_name("share");
    for (file, before) in [
        ("bash-completion/completions/kref-track", "--"),
        ("zsh/site-functions/_kref-track", "--"),
        ("fish/vendor_completions.d/kref-track.fish", ""),
    ] {
        let text = std::fs::read_to_string(share.join(file)).expect(file);
        let words: Vec<_> = text.split(|c: char| c.is_whitespace() || "'[)".contains(c)).collect();
        let options = help.lines().filter_map(|line| line.strip_prefix("  --"));
        for option in options.map(|line| line.split([' ', ',']).next().unwrap()) {
            let word = format!("{before}{option}");
            assert!(words.contains(&&*word), "{file} does not know --{option}");
        }
    }
    let bash = share.join("bash-completion/completions/kref-track");
    let script = format!(
        ". {}; COMP_WORDS=(kref-track --fl); COMP_CWORD=1; _kref_track; echo ${{COMPREPLY[@]}}",
        bash.display()
    );
    assert_eq!(run(Command::new("bash").arg("-c").arg(script)).output, "--flamegraph\n");
}

fn options_that_are_wrong() {
    for (options, wanted) in [
        (&["--depht", "3"][..], "unknown option --depht"),
        (&["--depth", "0"], "from 1 to 64"),
        (&["--sample", "10"], "1/N"),
        (&["--format", "xml"], "it is text, json, html or sarif"),
    ] {
        let ended = run(kref_track(options).arg("true"));
        assert_eq!(ended.status, Some(2), "{options:?}");
        contains(&ended, &[wanted]);
    }
    let mut command = Command::new(compile(Compiler::any(), "tracker/reports/many", &["-O1"]));
    let ended = run(command.env("KREF_OPTIONS", "track=1:depht=3"));
    assert!(ended.success);
    contains(&ended, &["unknown option \"depht\"", "nothing is tracked"]);
    let help = run(&mut kref_track(&["--help"]));
    assert!(help.success && help.output.contains("--max-memory"));
}

/// Objects of one type reach it again and again: that is reported once, and not as long as they have fewer references.
fn watermark() {
    let ended = track("reports/watermark", &["--watermark", "5"], &[]);
    contains(&ended, &["kref-track: an object has as many references as --watermark says\n"]);
    contains(
        &ended,
        &["  object #1 at 0x", "  held: ", "    collect tracker/reports/watermark.c:"],
    );
    assert_eq!(ended.output.matches("--watermark says").count(), 1, "{}", ended.output);
    let below = track("reports/watermark", &["--watermark", "6", "--exitcode", "9"], &[]);
    assert!(below.success && below.output.is_empty(), "{below:?}");
    let status = track("reports/watermark", &["--watermark", "5", "--exitcode", "9"], &[]).status;
    assert_eq!(status, Some(9));
}

fn depth() {
    let ended = track("reports/holders", &["--depth", "1"], &[]);
    contains(&ended, &["    serve "]);
    assert!(!ended.output.contains("    main "), "{}", ended.output);
}

/// The programs that the program starts have nothing preloaded, unless --keep-freed was given.
fn preloaded() {
    let environment = |options: &[&str], before: &str| {
        let mut command = kref_track(options);
        if !before.is_empty() {
            command.env("LD_PRELOAD", before);
        }
        run(command.args(["--log-path", "/dev/null", "env"])).output
    };
    for options in [&[][..], &["--no-preload"]] {
        let output = environment(options, "");
        assert!(!output.contains("LD_PRELOAD") && !output.contains("PRELOADED"), "{output}");
        let output = environment(options, "libm.so.6:libdl.so.2");
        assert!(output.contains("\nLD_PRELOAD=libm.so.6:libdl.so.2\n"), "{options:?} {output}");
        assert!(!output.contains("PRELOADED"), "{output}");
    }
    let output = environment(&["--keep-freed"], "");
    assert!(output.contains("\nLD_PRELOAD=/"), "{output}");
    let program = compile(Compiler::any(), "bugs/freed-while-held/free-while-shared", &["-DWRONG"]);
    let found = |options| run(kref_track(options).arg(&program)).output;
    assert!(found(&[]).contains("free() of an object that is still referenced"));
    let untouched = found(&["--no-preload"]);
    assert!(untouched.starts_with("kref-track: 2 references on 1 object are still"), "{untouched}");
}

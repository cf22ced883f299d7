//! Runs programs that are hard to track (robustness/) under kref-track. The programs are right, so
//! kref-track must print nothing, lose nothing, and neither hang nor crash.

use kref_c_tests::kref_track::{compile, contains, kref_track, silent, track};
use kref_c_tests::{Compiler, Kind, Sanitizer, plain, run, unless_missing};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let tests = vec![
        plain("fork", || silent("robustness/fork", &[])),
        plain("signal-handler", || silent("robustness/handler", &[])),
        plain("ends", || silent("robustness/ends", &[])),
        plain("exec-unread", exec_unread),
        plain("threads", || silent("robustness/threads", &[])),
        plain("threads-with-seed", || silent("robustness/threads", &["--seed", "3"])),
        plain("threads-keep-freed", || silent("robustness/threads", &["--keep-freed"])),
        plain("pool", || silent("robustness/pool", &[])),
        plain("pool-with-seed", || silent("robustness/pool", &["--seed", "3"])),
        plain("memory", || silent("robustness/memory", &[])),
        plain("memory-keep-freed", || silent("robustness/memory", &["--keep-freed"])),
        plain("pool-keep-freed", || silent("robustness/pool", &["--keep-freed"])),
        plain("no-memory", no_memory),
        plain("max-memory", max_memory),
        plain("a-million-live-objects", a_million),
        sanitized("threads", Sanitizer::Thread),
        sanitized("pool", Sanitizer::Thread),
        sanitized("fork", Sanitizer::Thread),
        sanitized("ends", Sanitizer::Thread),
        // Not fork.c: a child has no copy of the parent's threads, so LeakSanitizer reports the
        // memory that those threads held.
        sanitized("threads", Sanitizer::Address),
        sanitized("ends", Sanitizer::Address),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// What a program has written before it executed another one is read before its report.
fn exec_unread() {
    let ended = track("robustness/exec-unread", &["--summary"], &[]);
    assert!(ended.success && !ended.output.contains("still held"), "{ended:?}");
    contains(&ended, &["kref-track: 1 object tracked, 0 found"]);
}

fn no_memory() {
    let ended = track("robustness/no-memory", &[], &[]);
    assert!(ended.success, "{ended:?}");
    assert!(!ended.output.contains("still held"), "{}", ended.output);
}

fn max_memory() {
    let ended = track("reports/many", &["--max-memory", "2"], &["100000"]);
    assert!(ended.success);
    contains(&ended, &["objects not recorded: max_memory=2 was reached", "still held at exit"]);
}

fn a_million() {
    let ended = track("reports/many", &[], &["1000000"]);
    assert!(ended.success);
    contains(&ended, &["kref-track: 2000000 references on 1000000 objects are still held at exit"]);
}

fn sanitized(name: &'static str, sanitizer: Sanitizer) -> Trial {
    Trial::ignorable_test(format!("{name}-with-{sanitizer:?}Sanitizer"), move || {
        unless_missing(Compiler::need_with(Kind::Gcc, sanitizer), |compiler| {
            let program =
                compile(compiler, &format!("tracker/robustness/{name}"), sanitizer.flags());
            let ended = run(kref_track(&[]).arg(program));
            if ended.success && ended.output.is_empty() {
                return Ok(());
            }
            Err(format!("{name}: {ended:?}"))
        })
    })
}

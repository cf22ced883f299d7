//! The lines of the default violation handler: the place of a call from Rust, in every build; and a line for each
//! violation whose place is not known.
#![cfg(not(loom))]

use std::path::PathBuf;
use std::process::Command;
use std::ptr::NonNull;

use kref::{Count, PercpuRef};

const MISUSE: &str = "KREF_TEST_MISUSE";

/// Whether this is the child process that is to misuse a count.
fn is_child() -> bool {
    std::env::var_os(MISUSE).is_some()
}

/// Runs the test `name` in a child process. Returns what it wrote to standard error. ci/cross.sh sets
/// `KREF_EMULATOR`, a command that runs a program of another processor.
fn errors_of(name: &str) -> String {
    let emulator = std::env::var("KREF_EMULATOR").unwrap_or_default();
    let words = emulator.split_whitespace().map(PathBuf::from);
    let mut words = words.chain([std::env::current_exe().unwrap()]);
    let mut child = Command::new(words.next().unwrap());
    child.args(words);
    child.env(MISUSE, "1").env_remove("KREF_OPTIONS").args(["--nocapture", "--exact", name]);
    String::from_utf8_lossy(&child.output().unwrap().stderr).into_owned()
}

#[test]
fn the_line_names_the_callers_file_and_line() {
    if is_child() {
        Count::new(0).inc();
        return;
    }
    let line = line!() - 3;
    let said = errors_of("the_line_names_the_callers_file_and_line");
    let place = format!("called from {}:{line})", file!());
    assert!(said.contains("get on a count of zero") && said.contains(&place), "{place}: {said}");
}

/// Rust does not tell a destructor its caller.
#[test]
fn an_unknown_caller_is_never_taken_for_another() {
    unsafe extern "C" fn release(_: NonNull<PercpuRef>) {}
    let held = || {
        // SAFETY: `release` may be called with any address.
        let percpu = unsafe { PercpuRef::new(release, 0) }.expect("memory");
        percpu.get_many(1);
        percpu
    };
    if is_child() {
        drop(held());
        drop(held());
        return;
    }
    let said = errors_of("an_unknown_caller_is_never_taken_for_another");
    let lines = said.lines().filter(|line| line.contains("called from an unknown place"));
    assert_eq!(lines.count(), 2, "{said}");
}

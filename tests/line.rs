//! The line of the default violation handler names the file and line of a call from Rust, in every build.
#![cfg(not(loom))]

use std::process::Command;

use kref::Count;

const MISUSE: &str = "KREF_TEST_MISUSE";

/// Misuses a count in a child process, whose standard error the test reads.
#[test]
fn the_line_names_the_callers_file_and_line() {
    if std::env::var_os(MISUSE).is_some() {
        Count::new(0).inc();
        return;
    }
    let line = line!() - 3;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.env(MISUSE, "1").env_remove("KREF_OPTIONS").arg("--nocapture");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let place = format!("called from {}:{line})", file!());
    assert!(said.contains("get on a count of zero") && said.contains(&place), "{place}: {said}");
}

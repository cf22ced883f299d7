//! Runs programs under kref-track.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::build::{Library, build};
use crate::compiler::Compiler;
use crate::prefix::{Prefix, scratch};
use crate::process::{Finished, run};

/// Compiles c-tests/SOURCE.c and links it with libkref.so.
pub fn compile(compiler: Compiler, source: &str, flags: &[&str]) -> PathBuf {
    compile_with(compiler, source, flags, Library::Shared)
}

/// Compiles c-tests/SOURCE.c and links it with `library`. Builds each program only once, because
/// another test may be running the program.
pub fn compile_with(compiler: Compiler, source: &str, flags: &[&str], library: Library) -> PathBuf {
    static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let label: String = flags.concat().chars().filter(char::is_ascii_alphanumeric).collect();
    let name =
        [&source.replace('/', "."), compiler.kind().name(), &label, library.name()].join("-");
    let program = scratch().join("tracked").join(name);
    if built.insert(program.clone()) {
        let flags = [&["-g"], flags].concat();
        let compiled = build(compiler, source, &flags, library, &program);
        compiled.unwrap_or_else(|error| panic!("{source}: {error}"));
    }
    program
}

/// Runs c-tests/tracker/NAME.c under kref-track.
pub fn track(name: &str, options: &[&str], arguments: &[&str]) -> Finished {
    let program = compile(Compiler::any(), &format!("tracker/{name}"), &["-O1"]);
    run(kref_track(options).arg(program).args(arguments))
}

/// kref-track with `options`. The caller adds the program and its arguments.
pub fn kref_track(options: &[&str]) -> Command {
    let mut command = Command::new(Prefix::plain().kref_track());
    command.args(options);
    command
}

/// Checks that kref-track prints nothing about a program that is right.
pub fn silent(name: &str, options: &[&str]) {
    let ended = track(name, options, &[]);
    assert!(ended.success && ended.output.is_empty(), "{name} {options:?}: {ended:?}");
    // The program was tracked:
    let told = track(name, &[options, &["--summary"]].concat(), &[]).output;
    assert!(told.contains(" tracked, 0 found"), "{told}");
    assert!(!told.contains("kref-track: 0 objects"), "{told}");
    assert!(!told.contains("not recorded"), "{told}");
}

/// Checks that the output contains each of these texts.
pub fn contains(ended: &Finished, wanted: &[&str]) {
    for text in wanted {
        assert!(ended.output.contains(text), "no {text:?} in\n{}", ended.output);
    }
}

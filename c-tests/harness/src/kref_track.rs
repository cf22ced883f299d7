//! Programs under kref-track.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::compiler::Compiler;
use crate::prefix::{Prefix, c_tests, scratch};
use crate::process::{Finished, run};

/// Compiles c-tests/tracker/NAME.c with the shared libkref.
pub fn compile(compiler: Compiler, name: &str, flags: &[&str]) -> PathBuf {
    let prefix = Prefix::plain();
    let lib = prefix.lib();
    let rpath = format!("-Wl,-rpath,{}", lib.display());
    build(compiler, name, flags, &["-L", &lib.to_string_lossy(), "-lkref", &rpath])
}

/// Each program is built once: another test may be running it.
pub fn build(compiler: Compiler, name: &str, flags: &[&str], link: &[&str]) -> PathBuf {
    static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = scratch().join("tracker");
    std::fs::create_dir_all(&folder).expect("target can be written");
    let link_label = if link.contains(&"-lkref") { "" } else { "archive" };
    let label: String = flags.concat().chars().filter(char::is_ascii_alphanumeric).collect();
    let program = folder.join(format!(
        "{}-{}-{label}{link_label}",
        name.replace('/', "."),
        compiler.kind().name()
    ));
    if !built.insert(program.clone()) {
        return program;
    }
    let mut command = compiler.command();
    command.arg("-g").args(flags).arg(c_tests().join(format!("tracker/{name}.c")));
    command.arg("-o").arg(&program).arg("-I").arg(Prefix::plain().include());
    command.arg("-I").arg(c_tests().join("harness"));
    command.args(link).args(["-pthread", "-ldl"]);
    let compiled = run(&mut command);
    assert!(compiled.success, "{name}: {}", compiled.output);
    program
}

/// Runs a program of c-tests/tracker under kref-track.
pub fn track(name: &str, options: &[&str], arguments: &[&str]) -> Finished {
    let program = compile(Compiler::any(), name, &["-O1"]);
    run(kref_track(options).arg(program).args(arguments))
}

/// kref-track with these options; what follows them is the caller's to add.
pub fn kref_track(options: &[&str]) -> Command {
    let mut command = Command::new(Prefix::plain().kref_track());
    command.args(options);
    command
}

/// Not a word about a program that is right.
pub fn silent(name: &str, options: &[&str]) {
    let ended = track(name, options, &[]);
    assert!(ended.success && ended.output.is_empty(), "{name} {options:?}: {ended:?}");
    // That it was tracked at all:
    let told = track(name, &[options, &["--summary"]].concat(), &[]).output;
    assert!(told.contains(" tracked, 0 found"), "{told}");
    assert!(!told.contains("kref-track: 0 objects"), "{told}");
    assert!(!told.contains("not recorded"), "{told}");
}

/// Each of these is said.
pub fn contains(ended: &Finished, wanted: &[&str]) {
    for text in wanted {
        assert!(ended.output.contains(text), "no {text:?} in\n{}", ended.output);
    }
}

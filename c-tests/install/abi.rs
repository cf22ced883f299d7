//! The ABI: what a program that is compiled with kref.h relies on must be what abi/kref.abi describes.
//!
//! DWARF describes the library's functions as Rust has them, and has nothing about the stubs that are exported.
//! So the test makes a library whose functions have the declarations of kref.h and empty bodies, and abidw
//! describes that. abidiff compares two descriptions. `KREF_ABI=write` writes abi/kref.abi anew.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::declarations::{functions, without_directives};
use kref_c_tests::{Compiler, Kind, folder, printed, project, run, unless_missing};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let tests = [
        ("the_abi_is_what_was_described", unchanged as fn(Tools) -> Result<(), String>),
        ("a_changed_abi_is_found", changes_are_found),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| Trial::ignorable_test(name, move || unless_missing(tools(), test)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// gcc; abidw and abidiff are found by their names.
type Tools = Compiler;

fn tools() -> Result<Tools, String> {
    if cfg!(not(all(target_arch = "x86_64", target_pointer_width = "64"))) {
        return Err("abi/kref.abi describes the ABI of x86-64".into());
    }
    if !run(Command::new("abidw").arg("--version")).success {
        return Err("abidw was not found: Debian's package abigail-tools has it".into());
    }
    Compiler::need(Kind::Gcc)
}

fn description() -> PathBuf {
    project().join("abi/kref.abi")
}

/// Describes the library that this header declares.
fn describe_header(gcc: &Compiler, header: &str, name: &str) -> PathBuf {
    let folder = folder(&format!("abi-{name}"));
    let mut source = "#define KREF_NO_INLINE\n#include \"kref.h\"\n".to_string();
    let text = without_directives(header);
    for function in functions(&text) {
        let (returns, name) = (&function.returns, function.name);
        source +=
            &format!("{returns} {name}({}) {{ __builtin_trap(); }}\n", function.parameter_list());
    }
    // The one variable: kref/inline.h reads it.
    source += "const struct kref_tracker *kref_current_tracker;\n";
    std::fs::write(folder.join("kref.h"), header).unwrap();
    std::fs::write(folder.join("kref.c"), source).unwrap();
    let (library, described) = (folder.join("kref.so"), folder.join("kref.abi"));
    let include = project().join("include");
    let mut compile = gcc.command();
    compile.args(["-g", "-gdwarf-4", "-shared", "-fPIC", "-nostdlib", "-w", "-I"]).arg(&folder);
    compile.arg("-I").arg(include).arg("-o").arg(&library).arg("kref.c").current_dir(&folder);
    printed(&mut compile);
    let mut abidw = Command::new("abidw");
    abidw.args([
        "--no-corpus-path",
        "--no-comp-dir-path",
        "--no-show-locs",
        "--type-id-style",
        "hash",
    ]);
    printed(abidw.arg("--out-file").arg(&described).arg(&library));
    described
}

fn header() -> String {
    std::fs::read_to_string(project().join("include/kref.h")).expect("include/kref.h")
}

/// The differences that abidiff finds; empty if there are none.
fn differences(before: &Path, after: &Path) -> String {
    let ended = run(Command::new("abidiff").arg(before).arg(after));
    if ended.success { String::new() } else { ended.output }
}

fn unchanged(gcc: Tools) -> Result<(), String> {
    let now = describe_header(&gcc, &header(), "now");
    if std::env::var_os("KREF_ABI").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(description().parent().unwrap()).unwrap();
        std::fs::copy(now, description()).expect("abi/kref.abi");
        return Ok(());
    }
    match differences(&description(), &now) {
        none if none.is_empty() => Ok(()),
        some => Err(format!(
            "kref.h does not describe the ABI of abi/kref.abi any more. If this is meant: write a line in \
             CHANGELOG.md, raise the minor version where a program must be compiled anew, and run\n  \
             KREF_ABI=write cargo test -p kref-c-tests --test abi\n{some}"
        )),
    }
}

/// Each of these changes of the header must be found.
fn changes_are_found(gcc: Tools) -> Result<(), String> {
    for (number, (old, new)) in [
        ("int kref_rseq_available(void);", ""),
        ("int refs;", "long refs;"),
        ("void kref_count_inc(struct", "void kref_count_inc(int n, struct"),
        ("KREF_LOCK_FAILED = 6", "KREF_LOCK_FAILED = 60"),
    ]
    .into_iter()
    .enumerate()
    {
        let changed = header().replace(old, new);
        assert_ne!(changed, header(), "kref.h has no \"{old}\"");
        let after = describe_header(&gcc, &changed, &format!("changed-{number}"));
        if differences(&description(), &after).is_empty() {
            return Err(format!("abidiff did not find that \"{old}\" became \"{new}\""));
        }
    }
    Ok(())
}

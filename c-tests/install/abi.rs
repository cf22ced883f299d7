//! Tests the ABI: the exported symbols and their versions; and the types and functions of the headers, which must match
//! abi/kref.abi.
//!
//! The debug information of libkref describes the Rust functions, and not the exported stubs. So the test compiles a
//! library from the declarations of the headers, whose functions trap, and abidw describes this library. abidiff
//! compares two descriptions. `KREF_ABI=write` writes abi/kref.abi anew.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::declarations::{PUBLIC, SLOW, functions, without_directives};
use kref_c_tests::{
    Compiler, Kind, Prefix, folder, make_in, plain, printed, project, run, scratch, soname,
    unless_missing,
};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let tests = [
        ("the_abi_is_what_was_described", unchanged as fn(Tools) -> Result<(), String>),
        ("a_changed_abi_is_found", changes_are_found),
    ];
    let described = tests
        .into_iter()
        .map(|(name, test)| Trial::ignorable_test(name, move || unless_missing(tools(), test)));
    let trials = described.chain([
        plain("kref_names_are_exported_and_nothing_else", kref_names_are_exported_and_nothing_else),
        plain("each_symbol_has_a_version", each_symbol_has_a_version),
        plain("another_minor_version_is_not_loaded", another_minor_version_is_not_loaded),
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
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

/// Describes the library that these headers declare.
fn describe(gcc: &Compiler, headers: &[(&str, String)], name: &str) -> PathBuf {
    let folder = folder(&format!("abi-{name}"));
    let mut source = "#define KREF_NO_INLINE\n#include \"kref.h\"\n".to_string();
    let text: String = headers.iter().map(|(_, header)| without_directives(header)).collect();
    for function in functions(&text) {
        let (returns, name) = (&function.returns, function.name);
        source +=
            &format!("{returns} {name}({}) {{ __builtin_trap(); }}\n", function.parameter_list());
    }
    // The one variable: kref/inline.h reads it.
    source += "const struct kref_tracker *kref_current_tracker;\n";
    std::fs::create_dir_all(folder.join("kref")).unwrap();
    for (path, header) in headers {
        std::fs::write(folder.join(path), header).unwrap();
    }
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

/// The headers that declare functions, with their paths below include/.
fn headers() -> Vec<(&'static str, String)> {
    let read = |path| std::fs::read_to_string(project().join("include").join(path)).expect(path);
    PUBLIC.into_iter().chain([SLOW]).map(|path| (path, read(path))).collect()
}

/// The differences that abidiff finds; empty if there are none.
fn differences(before: &Path, after: &Path) -> String {
    let ended = run(Command::new("abidiff").arg(before).arg(after));
    if ended.success { String::new() } else { ended.output }
}

fn unchanged(gcc: Tools) -> Result<(), String> {
    let now = describe(&gcc, &headers(), "now");
    if std::env::var_os("KREF_ABI").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(description().parent().unwrap()).unwrap();
        std::fs::copy(now, description()).expect("abi/kref.abi");
        return Ok(());
    }
    match differences(&description(), &now) {
        none if none.is_empty() => Ok(()),
        some => Err(format!(
            "the headers do not describe the ABI of abi/kref.abi any more. If this is meant: write a line in \
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
        let mut changed = headers();
        changed.iter_mut().for_each(|(_, text)| *text = text.replace(old, new));
        assert_ne!(changed, headers(), "no header has \"{old}\"");
        let after = describe(&gcc, &changed, &format!("changed-{number}"));
        if differences(&description(), &after).is_empty() {
            return Err(format!("abidiff did not find that \"{old}\" became \"{new}\""));
        }
    }
    Ok(())
}

fn shared() -> PathBuf {
    Prefix::plain().lib().join("libkref.so")
}

/// The version of libkref.so's symbols is a symbol, too: `KREF_0.2`.
fn is_version(symbol: &str) -> bool {
    symbol.starts_with("KREF_")
}

/// The names that nm prints for defined symbols.
fn symbols(nm: &[&str], library: &Path) -> Vec<String> {
    let text = printed(Command::new("nm").args(nm).arg(library));
    let names = text.lines().filter_map(|line| line.split_whitespace().nth(2));
    let names = names.filter(|name| !is_version(name));
    names.map(|name| name.split('@').next().unwrap_or(name).to_string()).collect()
}

fn kref_names_are_exported_and_nothing_else() {
    for (nm, library) in [
        (["-D", "--defined-only"], shared()),
        (["-g", "--defined-only"], Prefix::plain().archive()),
    ] {
        let names = symbols(&nm, &library);
        assert!(
            names.iter().all(|name| name.starts_with("kref_") || name.starts_with("percpu_ref_")),
            "{names:?}"
        );
        let include = Prefix::plain().include();
        let text = |header| std::fs::read_to_string(include.join(header)).unwrap();
        let header: String = PUBLIC.into_iter().chain([SLOW]).map(text).collect();
        for name in &names {
            // The one variable: kref/inline.h reads it.
            let is_variable = name == "kref_current_tracker";
            assert!(is_variable || header.contains(&format!("{name}(")), "{name} is in no header");
        }
        assert!(names.len() > 25, "{names:?}");
    }
}

/// The version of the symbols: `KREF_0.2`.
fn symbol_version() -> String {
    soname().replace("libkref.so.", "KREF_")
}

/// Linked by each linker that the machine has.
fn each_symbol_has_a_version() {
    Prefix::plain();
    for linker in ["bfd", "gold", "lld", "mold"] {
        let library = folder("versions").join(linker).join("libkref.so");
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        let known = run(Compiler::any().command().args([
            "-shared",
            "-nostdlib",
            &format!("-fuse-ld={linker}"),
            "-x",
            "c",
            "/dev/null",
            "-o",
            "/dev/null",
        ]));
        if !known.success {
            continue;
        }
        let mut make = make_in(project());
        make.args(["TRACK=no", &format!("LDFLAGS=-fuse-ld={linker}")]);
        // What cargo has built for `Prefix::plain` is linked again.
        make.arg(format!("TARGET_DIR={}", scratch().join("plain/build").display()));
        printed(make.arg(format!("OUT={}", library.parent().unwrap().display())));
        let text = printed(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
        for symbol in text.lines().filter_map(|line| line.split_whitespace().nth(2)) {
            let has_version = symbol.ends_with(&format!("@@{}", symbol_version()));
            assert!(has_version || is_version(symbol), "{linker}: {symbol}");
        }
    }
}

/// A library with this soname, and with symbols of another version.
fn another_minor_version_is_not_loaded() {
    let source = project().join("examples/handoff.c");
    let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
    let program = folder("another-version").join("program");
    printed(Compiler::any().command().arg(source).args(flags).arg("-o").arg(&program));
    let library = program.with_file_name(soname());
    let script = program.with_file_name("map");
    std::fs::write(&script, "KREF_0.999 { global: kref_*; percpu_ref_*; local: *; };").unwrap();
    let mut link = Compiler::any().command();
    link.arg("-shared").arg(format!("-Wl,--version-script={}", script.display()));
    link.args([&format!("-Wl,-soname,{}", soname()), "-nostartfiles", "-Wl,--whole-archive"]);
    printed(
        link.arg(Prefix::plain().archive()).arg("-Wl,--no-whole-archive").arg("-o").arg(&library),
    );
    let folder = library.parent().unwrap();
    let ended = run(Command::new(&program).env("LD_LIBRARY_PATH", folder));
    let said = format!("version `{}' not found", symbol_version());
    assert!(!ended.success && ended.output.contains(&said), "{}", ended.output);
}

//! Runs the C and C++ programs in the folders of c-tests. Each program, built in each way, is a test.
//!
//! The prefix of a file's name says what the program must do:
//!
//! * `run-*.c` must exit with status 0. It is built with each compiler, with the shared and the static
//!   library, with and without kref.h's inline functions. It also runs under AddressSanitizer with
//!   UndefinedBehaviorSanitizer, under valgrind's memcheck, and without restartable sequences. Its
//!   opening comment may add ways (` * tools: tsan helgrind drd static`) and leave ways out
//!   (` * without: memcheck, for a reason`). `static` is a program that is linked with -static. What
//!   qemu-user cannot run is `without: qemu-user`, and what musl cannot is `without: musl`; ci/cross.sh runs
//!   the other programs there.
//! * `fail-*.c` is wrong. The tool that its opening comment names must report the words that follow
//!   (` * caught by: asan: heap-use-after-free`).
//! * `compile_fail-*.c` must compile, but with -DWRONG must not. The compiler must report the words that
//!   its opening comment names (` * says: pointer type mismatch`).
//!
//! The same holds for programs in C++, whose names end with `.cpp`: they are compiled as C++11.
//!
//! With KREF_CHECK=quick, as for `make check`, a `run-*.c` is built in a few of these ways: `Way::is_quick` says which. With
//! KREF_CHECK=rest, which CI uses after that, it is built in some of the other ways: `is_wanted` says which.

mod program;
mod ways;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Finished, Kind, Library, Prefix, build, c_tests, describe, program, run, scratch,
    unless_missing,
};
use libtest_mimic::{Arguments, Trial};

use crate::program::{Program, programs};
use crate::ways::{Watch, Way, catching, is_wanted, ways};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (number, program) in programs().into_iter().enumerate() {
        let (_, file) = program.name.split_once('/').expect("a folder and a file");
        if file.starts_with("run-") {
            trials.extend(must_run(&program, |way| is_wanted(number, way)));
        } else if file.starts_with("fail-") {
            trials.extend(must_be_caught(&program));
        } else if file.starts_with("compile_fail-") {
            trials.extend(must_not_compile(&program));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The compiler for this program and way, or the reason why this machine cannot build and run it.
fn compiler(program: &Program, way: Way) -> Result<Compiler, String> {
    program.check_machine()?;
    if program.is_cpp() {
        Compiler::need_cpp(way.compiler)?;
    }
    way.compiler()
}

fn must_run(program: &Program, is_wanted: impl Fn(Way) -> bool) -> Vec<Trial> {
    let trial = |way: Way| {
        let program = program.clone();
        Trial::ignorable_test(format!("{}::{}", program.name, way.name()), move || {
            unless_missing(compiler(&program, way), |compiler| {
                let executable = make(&program, way, compiler)?;
                let ended = execute(&executable, way, compiler);
                if ended.success { Ok(()) } else { Err(describe("it failed", &ended)) }
            })
        })
    };
    ways(program).into_iter().filter(|way| is_wanted(*way)).map(trial).collect()
}

fn must_be_caught(program: &Program) -> Vec<Trial> {
    let mut trials = Vec::new();
    for caught in program.says("caught by").map(str::to_string) {
        let (tool, words) = caught.split_once(": ").expect("caught by: TOOL: WORDS");
        for way in catching(tool) {
            let (program, words) = (program.clone(), words.to_string());
            let name = format!("{}::{}", program.name, way.name());
            trials.push(Trial::ignorable_test(name, move || {
                unless_missing(compiler(&program, way), |compiler| {
                    let executable = make(&program, way, compiler)?;
                    let ended = execute(&executable, way, compiler);
                    match ended.output.contains(&words) && !ended.success {
                        true => Ok(()),
                        false => Err(describe(&format!("no report of \"{words}\""), &ended)),
                    }
                })
            }));
        }
    }
    assert!(!trials.is_empty(), "{}: no line `caught by:`", program.name);
    trials
}

fn must_not_compile(program: &Program) -> Vec<Trial> {
    let trial = |kind: Kind| {
        let program = program.clone();
        let name = format!("{}::{}", program.name, kind.name());
        let watch = Watch::Nothing;
        let (library, inline) = (Library::Shared, true);
        let way = Way { compiler: kind, library, inline, watch, rseq: true };
        Trial::ignorable_test(name, move || {
            unless_missing(compiler(&program, way), |compiler| {
                let check = |twin: &[&str]| {
                    let mut compile = compiler.command();
                    compile.args(program.warnings()).args(["-c", "-o", "/dev/null"]).args(twin);
                    run(compile.arg("-I").arg(Prefix::plain().include()).arg(&program.path))
                };
                let right = check(&[]);
                if !right.success {
                    return Err(describe("the right twin does not compile", &right));
                }
                let wrong = check(&["-DWRONG"]);
                let words = program.says("says").next().expect("says: WORDS");
                match !wrong.success && wrong.output.contains(words) {
                    true => Ok(()),
                    false => Err(describe(&format!("no report of \"{words}\""), &wrong)),
                }
            })
        })
    };
    Kind::ALL.into_iter().map(trial).collect()
}

fn make(program: &Program, way: Way, compiler: Compiler) -> Result<PathBuf, String> {
    let name = format!("{}.{}", program.name.replace('/', "."), way.name().replace("::", "."));
    let executable = scratch().join("programs").join(name);
    let defines = [&[data_define()][..], &layout_defines()].concat();
    let defines: Vec<&str> = defines.iter().map(String::as_str).collect();
    let flags = [&program.warnings()[..], &way.flags(), &defines].concat();
    build(compiler, &program.name, &flags, way.library, &executable)?;
    Ok(executable)
}

/// Tells run-semantics.c where its table is.
fn data_define() -> String {
    format!("-DDATA=\"{}\"", c_tests().join("data").display())
}

/// The sizes and alignments of the Rust types, for run-layout.c.
fn layout_defines() -> [String; 6] {
    [
        format!("-DRUST_SIZEOF_KREF={}", size_of::<kref::Kref>()),
        format!("-DRUST_ALIGNOF_KREF={}", align_of::<kref::Kref>()),
        format!("-DRUST_SIZEOF_SLOT={}", size_of::<kref::KrefSlot>()),
        format!("-DRUST_SIZEOF_PERCPU_REF={}", size_of::<kref::PercpuRef>()),
        format!("-DRUST_SIZEOF_PERCPU_REF_SLOT={}", size_of::<kref::PercpuRefSlot>()),
        format!("-DRUST_SIZEOF_VIOLATION={}", size_of::<kref::Violation>()),
    ]
}

/// Runs the program under its tool, until the program ends.
fn execute(executable: &Path, way: Way, compiler: Compiler) -> Finished {
    let mut command = match way.watch {
        Watch::Valgrind(tool) => {
            let mut command = Command::new("valgrind");
            command.arg(format!("--tool={tool}")).args(["--error-exitcode=99", "--quiet"]);
            if tool == "memcheck" {
                command.args(["--leak-check=full", "--show-leak-kinds=definite"]);
            }
            command.arg(executable);
            command
        }
        _ => program(executable),
    };
    compiler.sanitizer_options(&mut command);
    if !way.rseq {
        command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    }
    run(&mut command)
}

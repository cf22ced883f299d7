//! The four styles of counting that docs/porting.md ports, each before and after. Both print the same, kref-track finds
//! nothing in the second one, and it is shorter. And a program of liburcu's urcu_ref, which is not changed.

use std::process::{Command, ExitCode};

use kref_c_tests::kref_track::{compile, contains, kref_track};
use kref_c_tests::{Compiler, c_tests, per_compiler, plain, project, run, unless_missing};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut trials = vec![
        plain("returns", || ported("returns")),
        plain("immortal", || ported("immortal")),
        plain("locked", || ported("locked")),
        plain("generic", || ported("generic")),
        plain("urcu", urcu),
        Trial::ignorable_test("urcu-as-liburcu", || unless_missing(liburcu(), as_liburcu)),
    ];
    trials.extend(per_compiler("urcu-warnings", Compiler::need, urcu_warnings));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn ported(style: &str) {
    let source = |name: &str| format!("ports/{style}/{name}");
    let length = |name: &str| {
        let path = c_tests().join(source(name)).with_extension("c");
        std::fs::read_to_string(path).expect("a program").lines().count()
    };
    assert!(length("after") < length("before"));

    let build = |name: &str| compile(Compiler::any(), &source(name), &["-O1"]);
    let before = run(&mut Command::new(build("before")));
    let after = run(kref_track(&["--exitcode", "99"]).arg(build("after")));
    assert!(before.success && before.output.contains(" freed\n"), "{before:?}");
    assert!(after.success && after.output == before.output, "{after:?}, before: {before:?}");
}

const URCU: &str = "ports/urcu/program";

/// The program with examples/urcu/ref.h in place of liburcu's header.
fn urcu_over_kref() -> Command {
    Command::new(compile(Compiler::any(), URCU, &["-O1", "-I../examples"]))
}

fn urcu() {
    let right = run(kref_track(&["--exitcode", "99"]).arg(urcu_over_kref().get_program()));
    assert!(right.success && right.output.contains("session 1 freed\n"), "{right:?}");

    let source = std::fs::read_to_string(c_tests().join(URCU).with_extension("c")).unwrap();
    let line = source.lines().position(|line| line.contains("/* HERE */")).expect("a mark") + 1;
    let leak = run(kref_track(&[]).arg(urcu_over_kref().get_program()).arg("leak"));
    contains(
        &leak,
        &["session_release: 1 reference on 1 object\n", &format!("show {URCU}.c:{line}\n")],
    );
}

/// A compiler that finds liburcu's header.
fn liburcu() -> Result<Compiler, String> {
    let compiler = Compiler::any();
    let mut probe = compiler.command();
    probe.args(["-include", "urcu/ref.h", "-fsyntax-only", "-x", "c", "/dev/null"]);
    if run(&mut probe).success {
        return Ok(compiler);
    }
    Err("no <urcu/ref.h>: Debian's liburcu-dev has it".into())
}

/// liburcu's own header, too, compiles the program, which then does the same.
fn as_liburcu(compiler: Compiler) -> Result<(), String> {
    let real = run(&mut Command::new(compile(compiler, URCU, &["-O1"])));
    let ours = run(&mut urcu_over_kref());
    assert!(real.success && real.output == ours.output, "{real:?}, over libkref: {ours:?}");
    Ok(())
}

fn urcu_warnings(compiler: Compiler) {
    for language in ["c", "c++"].into_iter().filter(|l| *l == "c" || compiler.speaks_cpp()) {
        let mut compile = compiler.command();
        compile.args(["-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
        compile.arg("-I").arg(project().join("examples")).arg("-I").arg(project().join("include"));
        let compiled = run(compile.arg(c_tests().join(URCU).with_extension("c")));
        assert!(compiled.success, "as {language}:\n{}", compiled.output);
    }
}

//! libkref without the stubs that find the caller: each function works, and each violation writes a line.

use std::process::ExitCode;

use kref_c_tests::{
    Compiler, Prefix, WARNINGS, c_tests, describe, per_compiler, program, run, scratch,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = per_compiler("each_violation_writes_a_line", Compiler::need, each_writes_a_line);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn each_writes_a_line(compiler: Compiler) {
    let folder = scratch().join("unknown-callers");
    std::fs::create_dir_all(&folder).unwrap();
    let executable = folder.join(compiler.kind().name());
    let source = c_tests().join("violations/unknown/program.c");
    let mut compile = compiler.command();
    compile.args(WARNINGS).arg("-I").arg(Prefix::without_assembly().include()).arg(source);
    compile.arg("-I").arg(c_tests().join("harness")).arg("-pthread").arg("-o").arg(&executable);
    let compiled = run(compile.arg(Prefix::without_assembly().archive()));
    assert!(compiled.success, "{}", describe("it does not compile", &compiled));

    let ended = run(&mut program(&executable));
    assert!(ended.success, "{}", describe("it failed", &ended));
    let is_unknown = |line: &&str| line.contains("called from an unknown place");
    let lines = ended.output.lines().filter(is_unknown).count();
    assert!(lines == 3, "{}", ended.output);
}

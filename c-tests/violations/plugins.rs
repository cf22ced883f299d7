//! Two plugins that have one address in turn: each is reported once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kref_c_tests::{Compiler, Kind, Prefix, c_tests, is_musl, per_compiler, program, run, scratch};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = per_compiler("each_is_reported_once", need, each_is_reported_once);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn need(kind: Kind) -> Result<Compiler, String> {
    if is_musl() { Err("musl's dlclose() unloads nothing".into()) } else { Compiler::need(kind) }
}

fn each_is_reported_once(compiler: Compiler) {
    let folder = scratch().join("plugins").join(compiler.kind().name());
    std::fs::create_dir_all(&folder).unwrap();
    let [one, two] = ["one.so", "two.so"].map(|name| {
        compile(compiler, "plugin.c", &["-shared", "-fPIC", "-O2"], &folder.join(name))
    });
    let executable = compile(compiler, "program.c", &["-ldl"], &folder.join("program"));

    let ended = run(program(&executable).args([&one, &two, &one, &two]));
    assert!(ended.success, "{}", ended.output);
    if ended.output.contains("no _dl_find_object") {
        return; // libkref cannot tell the plugins apart
    }
    let lines: Vec<&str> = ended.output.lines().collect();
    let names = |line: &str, plugin: &Path| line.contains(&format!("{}+0x", plugin.display()));
    assert!(lines.len() == 2 && names(lines[0], &one) && names(lines[1], &two), "{}", ended.output);
}

fn compile(compiler: Compiler, source: &str, flags: &[&str], to: &Path) -> PathBuf {
    let lib = Prefix::plain().lib();
    let mut compile = compiler.command();
    compile.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror"]);
    compile.arg("-I").arg(Prefix::plain().include()).arg("-I").arg(c_tests().join("harness"));
    compile.arg(c_tests().join("violations/plugins").join(source)).arg("-o").arg(to);
    compile.arg("-L").arg(&lib).arg("-lkref").arg(format!("-Wl,-rpath,{}", lib.display()));
    let compiled = run(compile.args(flags).arg("-pthread"));
    assert!(compiled.success, "{source}:\n{}", compiled.output);
    to.to_path_buf()
}

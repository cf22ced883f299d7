//! Programs that read kref.h and are no compilers: bindgen, and Python's cffi. The bindings must have every function
//! of kref.h, and a program that uses them must run. With a fault planted in the bindings the same program fails.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::declarations::{PUBLIC, functions, without_directives};
use kref_c_tests::{
    Compiler, Finished, Prefix, c_tests, describe, folder, printed, run, unless_missing,
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

type Test = (&'static str, fn() -> Result<Completion, Failed>);

fn main() -> ExitCode {
    let tests: [Test; 3] = [
        ("bindgen", || unless_missing(bindgen(), |()| rust())),
        ("cffi_loads_the_library", || unless_missing(python(""), abi)),
        ("cffi_compiles_a_module", || unless_missing(python(PYTHON_H), api)),
    ];
    let trials = tests.map(|(name, test)| Trial::ignorable_test(name, test)).into();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn header() -> PathBuf {
    Prefix::plain().include().join("kref.h")
}

/// The names of the functions for programs.
fn public() -> Vec<String> {
    let read = |header| std::fs::read_to_string(Prefix::plain().include().join(header)).unwrap();
    let text: String = PUBLIC.into_iter().map(|header| without_directives(&read(header))).collect();
    let names: Vec<_> = functions(&text).iter().map(|found| found.name.to_string()).collect();
    assert!(names.len() > 50 && !names.iter().any(|name| name.ends_with("_slow")), "{names:?}");
    names
}

/// Writes the bindings, `right` and with `fault` in them. `uses` runs the program with either.
fn right_and_wrong(
    right: &str,
    (old, fault): (&str, &str),
    uses: impl Fn(&str) -> Finished,
) -> Result<(), String> {
    let ended = uses(right);
    if !ended.success || ended.output != "released once, one violation\n" {
        return Err(describe("it failed", &ended));
    }
    let wrong = right.replace(old, fault);
    assert_ne!(wrong, right, "no \"{old}\" in the bindings");
    if uses(&wrong).success { Err(format!("it does not notice \"{fault}\"")) } else { Ok(()) }
}

fn bindgen() -> Result<(), String> {
    let found = run(Command::new("bindgen").arg("--version")).success;
    found.then_some(()).ok_or_else(|| "bindgen was not found".into())
}

fn rust() -> Result<(), String> {
    let folder = folder("bindgen");
    let ours = "(kref|percpu_ref|refcount|KREF|PERCPU_REF)_.*";
    let mut bindgen = Command::new("bindgen");
    bindgen.arg(header()).args(["--allowlist-function", ours, "--allowlist-type", ours]);
    bindgen.args(["--allowlist-var", ours, "--no-doc-comments", "--", "-DKREF_NO_INLINE"]);
    let bindings = printed(&mut bindgen);
    for name in public() {
        assert!(bindings.contains(&format!("pub fn {name}(")), "bindgen did not see {name}");
    }

    let kind = "KREF_PUT_ON_ZERO: kref_violation_kind = 3";
    right_and_wrong(&bindings, (kind, &kind.replace('3', "30")), |bindings| {
        std::fs::write(folder.join("kref.rs"), bindings).unwrap();
        let mut rustc = Command::new("rustc");
        rustc.arg("--edition=2021").arg(c_tests().join("headers/bindings/use.rs"));
        rustc.args(["-Awarnings", "-lkref", "-L"]).arg(Prefix::plain().lib()).arg("-o");
        printed(rustc.arg(folder.join("use")).env("BINDINGS", &folder));
        run(Command::new(folder.join("use")).env("LD_LIBRARY_PATH", Prefix::plain().lib()))
    })
}

/// A Python program that fails where Python's headers are not installed.
const PYTHON_H: &str = "import os, sysconfig; \
                        os.stat(os.path.join(sysconfig.get_path('include'), 'Python.h'))";

/// A Python that has cffi, and in which `needed` succeeds.
fn python(needed: &str) -> Result<&'static str, String> {
    let fits = |python: &&str| {
        run(Command::new(python).args(["-c", &format!("import cffi; {needed}")])).success
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(fits);
    found.ok_or_else(|| "no Python with cffi: Debian's python3-cffi and python3-dev".into())
}

/// What cffi's cdef() reads.
fn cdef() -> String {
    printed(Compiler::any().command().args(["-E", "-P", "-DKREF_CDEF"]).arg(header()))
}

fn use_py(python: &str, how: &str, arguments: &[&Path]) -> Command {
    let mut command = Command::new(python);
    command.arg(c_tests().join("headers/bindings/use.py")).arg(how).args(arguments);
    command.env("LD_LIBRARY_PATH", Prefix::plain().lib()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The bindings are the text of the declarations, and cffi loads libkref.so.
fn abi(python: &str) -> Result<(), String> {
    let declarations = folder("cffi-abi").join("kref.cdef");
    let library = Prefix::plain().lib().join("libkref.so");
    right_and_wrong(&cdef(), ("KREF_PUT_ON_ZERO = 3", "KREF_PUT_ON_ZERO = 30"), |text| {
        std::fs::write(&declarations, text).unwrap();
        run(use_py(python, "abi", &[&declarations, &library]).args(public()))
    })
}

/// cffi writes a module in C, which includes kref.h. The module compares the declarations with kref.h.
fn api(python: &str) -> Result<(), String> {
    let folder = folder("cffi-api");
    let (declarations, source) = (folder.join("kref.cdef"), folder.join("_kref.c"));
    let include = "import sysconfig; print(sysconfig.get_path('include'))";
    let include = printed(Command::new(python).args(["-c", include]));
    right_and_wrong(&cdef(), ("int refs;", "long refs;"), |text| {
        std::fs::write(&declarations, text).unwrap();
        printed(&mut use_py(python, "write", &[&declarations, &source]));
        let mut compile = Compiler::any().command();
        compile.args(["-shared", "-fPIC", "-w", "-I", include.trim(), "-I"]);
        compile.arg(Prefix::plain().include()).arg(&source).arg("-L").arg(Prefix::plain().lib());
        printed(compile.arg("-lkref").arg("-o").arg(folder.join("_kref.so")));
        run(use_py(python, "api", &[&folder]).args(public()))
    })
}

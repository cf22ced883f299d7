//! Faults that the tests must find.
//!
//! A *mutant* is a small fault in the source. [`models`], [`steps`] and [`programs`] are tables of mutants that
//! people wrote. A test puts each of them into a copy of the package, and runs the loom model or the C program
//! that must fail. [`models`] has every memory ordering of the source that is stronger than relaxed. [`assembly`]
//! has those of the sequences, and the litmus test that fails without each.
//!
//! `make mutants` tries several hundred mutants that cargo-mutants makes. [`survivors`] names those that
//! change nothing that a test could see.
#![cfg(not(loom))]

mod assembly;
mod models;
mod package;
mod programs;
mod steps;
mod survivors;

use std::env;
use std::process::Command;
use std::sync::Mutex;

use models::{
    COLD_PATH, COUNT, COUNTERS, FREE_LIST, GET, HANDLER, KREF, MODE, Mutant, ORDERINGS,
    PERCPU_SLOT, POOL, POOL_ENTRIES, POOL_LOOKUP, PUT, SLOT, STACKS, TRACKER, WORD,
};
use package::{Package, project, read, run};
use programs::PROGRAMS;
use steps::STEPS;

fn in_models() -> impl Iterator<Item = &'static Mutant> {
    ORDERINGS.iter().chain(STEPS)
}

#[test]
fn each_place_that_is_weakened_fails_its_model() {
    // Two copies, so that two mutants are tried at the same time: most of the time no other test of this file runs.
    let packages = ["models", "models-2"].map(Package::copy);

    // Not --offline: a normal build does not need loom, so cargo may have to fetch loom here.
    let unchanged = TARGETS.map(|target| {
        let (success, output) = run(&mut models(&packages[0], target));
        assert!(success, "the models do not pass on the unchanged source:\n{output}");
        output
    });
    let target = |model: &str| {
        let passed = format!("test {model} ... ok");
        let target = unchanged.iter().position(|output| output.contains(&passed));
        TARGETS[target.unwrap_or_else(|| panic!("there is no model {model}:\n{unchanged:?}"))]
    };
    // CI tries every third one: the two lists have several for each function.
    let is_rest = env::var_os("KREF_CHECK").is_some_and(|value| value == "rest");
    let mutants = in_models().step_by(if is_rest { 3 } else { 1 });
    must_all_fail(&packages, mutants, |package, model| {
        let mut models = models(package, target(model));
        let (_, output) = run(models.args(["--offline", "--", "--exact", model]));
        // A mutant that does not compile prints no result of the model.
        if output.contains(&format!("test {model} ... FAILED")) { Err(output) } else { Ok(output) }
    });
}

#[test]
fn each_fault_fails_its_program() {
    if !kref::rseq_available() {
        return; // the library does not contain what the mutants change, or does not use it
    }
    let package = Package::copy("programs");
    for Mutant { test: program, .. } in PROGRAMS {
        if let Err(output) = run_program(&package, program) {
            panic!("{program} does not pass on the unchanged source:\n{output}");
        }
    }
    must_all_fail(&[package], PROGRAMS, run_program);
}

/// Puts each mutant into one of the packages and runs its test: as many at the same time as there are packages.
/// `run_test` returns the output, as an `Err` if the test failed.
fn must_all_fail<'a>(
    packages: &[Package],
    mutants: impl IntoIterator<Item = &'a Mutant, IntoIter: Send>,
    run_test: impl Fn(&Package, &str) -> Result<String, String> + Sync,
) {
    let survivor = |package: &Package, mutant: &Mutant| {
        let Mutant { file, source, mutated, test, failure } = mutant;
        let output = match package.with(mutant, || run_test(package, test)) {
            Err(output) if output.contains(failure) => return None,
            Ok(output) | Err(output) => output,
        };
        Some(format!(
            "{file}: `{source}` became `{mutated}`, and {test} did not fail with \"{failure}\": \
             the test is too weak, or the original stronger than it must be.\n{output}"
        ))
    };
    let (left, survivors) = (Mutex::new(mutants.into_iter()), Mutex::new(Vec::new()));
    let next = || left.lock().expect("no thread panics in here").next();
    std::thread::scope(|scope| {
        for package in packages {
            let (survivor, survivors) = (&survivor, &survivors);
            scope.spawn(move || {
                let of_package = std::iter::from_fn(next).filter_map(|it| survivor(package, it));
                let of_package: Vec<_> = of_package.collect();
                survivors.lock().expect("no thread panics in here").extend(of_package);
            });
        }
    });
    let survivors = survivors.into_inner().expect("no thread panics in here");
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

/// Where the models are: in the crate, and in tests/loom.
const TARGETS: [&str; 2] = ["--lib", "--test=loom"];

/// The command that runs the models of one target. No LOOM_ variable is set, since such a variable may limit the
/// interleavings that loom explores.
fn models(package: &Package, target: &str) -> Command {
    let mut cargo = package.cargo(&["test", target]);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("LOOM_") {
            cargo.env_remove(name);
        }
    }
    cargo.env("RUSTFLAGS", "--cfg loom");
    cargo
}

/// Builds libkref.a and c-tests/PROGRAM.c, and runs the program. The output of a program that fails is the
/// error.
fn run_program(package: &Package, program: &str) -> Result<String, String> {
    let library =
        ["rustc", "--profile", "capi", "--lib", "--features", "capi", "--crate-type", "staticlib"];
    let (built, output) = run(&mut package.cargo(&library));
    if !built {
        return Ok(output); // not a failure of the program
    }
    let executable = package.target().join("program");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut words = compiler.split_whitespace();
    let mut compile = Command::new(words.next().expect("CC is not empty"));
    // The functions of the library, not their inline forms: those of kref.h are not changed.
    compile.args(words).args(["-std=gnu11", "-g", "-DKREF_NO_INLINE", "-Iinclude"]);
    compile.args(["-Ic-tests/harness", "-o"]).arg(&executable);
    compile.arg(format!("c-tests/{program}.c")).arg(package.target().join("capi/libkref.a"));
    let (compiled, output) = run(compile.args(["-pthread", "-ldl"]).current_dir(project()));
    assert!(compiled, "{program} does not compile:\n{output}");
    let (success, output) = run(Command::new(executable).env_remove("KREF_OPTIONS"));
    if success { Ok(output) } else { Err(output) }
}

#[test]
fn each_place_occurs_once() {
    for Mutant { file, source, .. } in in_models().chain(PROGRAMS) {
        let occurrences = read(file).matches(source).count();
        assert_eq!(occurrences, 1, "{file}: `{source}` is to occur once; mend the table");
    }
}

#[test]
fn no_ordering_is_missing_from_the_table() {
    for file in [
        COUNT,
        GET,
        PUT,
        COLD_PATH,
        TRACKER,
        HANDLER,
        SLOT,
        WORD,
        MODE,
        COUNTERS,
        PERCPU_SLOT,
        KREF,
        POOL,
        POOL_ENTRIES,
        POOL_LOOKUP,
        FREE_LIST,
        STACKS,
    ] {
        let mut code = code(&read(file));
        for mutant in ORDERINGS.iter().filter(|mutant| mutant.file == file) {
            code = code.replace(mutant.source, "");
        }
        for line in code.lines() {
            let strong = ["Acquire", "Release", "AcqRel", "SeqCst"];
            let mut words = line.split(|byte: char| !byte.is_alphanumeric());
            let missing = words.any(|word| strong.contains(&word));
            assert!(!missing, "{file}: `{}` is not in the table", line.trim());
        }
    }
}

#[test]
fn each_ordering_in_assembly_has_a_litmus_test() {
    for assembly::Orderings { file, instruction, litmus, twin } in assembly::ORDERINGS {
        let code = code(&read(file));
        let found = code.matches(instruction).count();
        assert_eq!(
            found,
            litmus.len(),
            "{file}: `{instruction}` needs a litmus test for each place"
        );
        for litmus in *litmus {
            let text = read(&format!("models/{litmus}.litmus"));
            assert!(text.contains(&format!("broken: {twin}: ")), "{litmus}: no twin {twin}");
        }
    }
}

/// The source without its comments, its models, and the `use`s that import the orderings.
fn code(source: &str) -> String {
    let lines: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = lines.join("\n");
    let code = code.split("#[cfg(all(loom, test))]").next().unwrap();
    let mut parts = code.split("use crate::sys::sync::");
    let before = parts.next().unwrap().to_string();
    parts.fold(before, |code, part| code + part.split_once(';').expect("the end of the import").1)
}

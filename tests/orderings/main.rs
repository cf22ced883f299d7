//! Every memory ordering that is stronger than relaxed is needed: a loom model fails without it.
//!
//! The test copies the package, weakens one place of the copy, and runs the model that must fail.
#![cfg(not(loom))]

mod steps;
mod table;

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs, io};

use steps::STEPS;
use table::{
    COLD_PATH, COUNT, COUNTERS, GET, HANDLER, MODE, Mutant, ORDERINGS, PERCPU_SLOT, PUT, SLOT,
    TRACKER, WORD,
};

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    ORDERINGS.iter().chain(STEPS)
}

#[test]
fn each_place_that_is_weakened_fails_its_model() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("orderings/package");
    copy_package(&package);

    // Not --offline: a normal build does not need loom, so cargo may have to fetch loom here.
    let output = models(&package).output().expect("cargo");
    let success = output.status.success();
    let unchanged = text(output);
    assert!(success, "the models do not pass on the unchanged source:\n{unchanged}");
    for Mutant { model, .. } in mutants() {
        let passed = unchanged.contains(&format!("test {model} ... ok"));
        assert!(passed, "there is no model {model}:\n{unchanged}");
    }
    let survivors: Vec<String> =
        mutants().filter_map(|mutant| survivor(mutant, &package)).collect();
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

/// Runs the model of one mutant. Returns the reason if the model did not fail as the table says.
fn survivor(mutant: &Mutant, package: &Path) -> Option<String> {
    let Mutant { file, source, weakened, model, failure } = mutant;
    let path = package.join(file);
    let original = fs::read_to_string(&path).expect(file);
    fs::write(&path, original.replace(source, weakened)).expect(file);
    let output = models(package).args(["--offline", "--", "--exact", model]).output();
    fs::write(&path, original).expect(file);

    // A mutant that does not compile prints no result of the model.
    let output = text(output.expect("cargo"));
    let failed = output.contains(&format!("test {model} ... FAILED")) && output.contains(failure);
    (!failed).then(|| {
        format!(
            "{file}: `{source}` became `{weakened}`, and {model} did not fail with \"{failure}\": \
             the model is too weak, or the original stronger than it must be.\n{output}"
        )
    })
}

#[test]
fn each_place_occurs_once() {
    for Mutant { file, source, .. } in mutants() {
        let occurrences = read(file).matches(source).count();
        assert_eq!(occurrences, 1, "{file}: `{source}` is to occur once; mend the table");
    }
}

#[test]
fn no_ordering_is_missing_from_the_table() {
    for file in
        [COUNT, GET, PUT, COLD_PATH, TRACKER, HANDLER, SLOT, WORD, MODE, COUNTERS, PERCPU_SLOT]
    {
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

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
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

/// Copies all that cargo needs for this package and its tests. The workspace's other packages stay out.
fn copy_package(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    if to.exists() {
        fs::remove_dir_all(to).expect("the last run's copy");
    }
    fs::create_dir_all(to).expect("CARGO_TARGET_TMPDIR");
    for name in ["Cargo.lock", "build.rs", "src", "tests"] {
        copy(&from.join(name), &to.join(name)).expect(name);
    }
    let manifest: Vec<String> = read("Cargo.toml")
        .lines()
        .filter(|line| !line.starts_with("members") && !line.starts_with("default-members"))
        .map(String::from)
        .collect();
    fs::write(to.join("Cargo.toml"), manifest.join("\n")).expect("Cargo.toml");
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// The command that runs the models. Its settings make the build fast. No LOOM_ variable is set, since
/// such a variable may limit the interleavings that loom explores.
fn models(package: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(package).args(["test", "--lib", "--test", "loom", "--target-dir"]);
    cargo.arg(package.with_file_name("target"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("LOOM_") {
            cargo.env_remove(name);
        }
    }
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "--cfg loom");
    cargo.env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.env("RUST_BACKTRACE", "0");
    cargo
}

fn text(output: Output) -> String {
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

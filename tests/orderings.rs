//! Every memory ordering that is stronger than relaxed is needed: weakened, it fails a loom model.
//!
//! The package is copied, one place of the copy is weakened, and the model that guards it is run.
#![cfg(not(loom))]

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs, io};

/// A place in the source, how to weaken it, and how a model finds out.
struct Mutant {
    file: &'static str,
    /// Occurs once in the file.
    source: &'static str,
    weakened: &'static str,
    model: &'static str,
    /// What the model says when it fails.
    failure: &'static str,
}

const COUNT: &str = "src/count.rs";
const GET: &str = "src/count/get.rs";
const PUT: &str = "src/count/put.rs";
const SLOW: &str = "src/count/slow.rs";
const TRACKER: &str = "src/tracker.rs";
const HANDLER: &str = "src/handler.rs";
const SLOT: &str = "src/slot.rs";
const LOCKED: &str = "src/locked.rs";
const WORD: &str = "src/percpu/word.rs";

const LATCH_MODEL: &str = "handler::tests::a_reader_against_two_sets_never_sees_a_torn_pair";

const TABLE_MODEL: &str =
    "tracker::tests::whoever_is_told_sees_what_was_there_before_the_table_was_set";

/// loom found two accesses, one of them a write, that nothing orders.
const RACE: &str = "Causality violation";
/// A get that came after the last put.
const GONE: &str = "what is published has references";
/// A last put that came before the lock.
const DEAD: &str = "what is listed is alive";
const TORN: &str = "a torn pair";
const LATE: &str = "taken after the kill";
const NOT_SATURATED: &str = "not saturated";
/// A tracked object that a slot's reader had raised, and that went all the same.
const UNDER_FEET: &str = "gone under the reader's feet";
/// A tracker was not told of a reference that was given back.
const TOLD_TOO_LITTLE: &str = "told too little";

const ORDERINGS: &[Mutant] = &[
    Mutant {
        file: COUNT,
        source: "self.refs.store(n, Release)",
        weakened: "self.refs.store(n, Relaxed)",
        model: "inc_not_zero_acquire_against_set_release",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, old - n, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, old - n, Relaxed, Relaxed)",
        model: "sub_and_test_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "self.refs.fetch_sub(1, Release)",
        weakened: "self.refs.fetch_sub(1, Relaxed)",
        model: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "let _ = self.refs.load(Acquire);",
        weakened: "let _ = self.refs.load(Relaxed);",
        model: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: GET,
        source: "self.add_not_zero_ordered(n, Acquire)",
        weakened: "self.add_not_zero_ordered(n, Relaxed)",
        model: "inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(1, 0, AcqRel, Relaxed)",
        weakened: "compare_exchange(1, 0, Release, Relaxed)",
        model: "dec_if_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(1, 0, AcqRel, Relaxed)",
        weakened: "compare_exchange(1, 0, Acquire, Relaxed)",
        model: "dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, old - n, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, old - n, Relaxed, Relaxed)",
        model: "dec_not_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: SLOW,
        source: "compare_exchange_weak(old, next, Acquire, Relaxed)",
        weakened: "compare_exchange_weak(old, next, Relaxed, Relaxed)",
        model: "count::models::inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: SLOW,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        model: "count::models::sub_and_test_against_sub_and_test",
        failure: RACE,
    },
    Mutant {
        file: SLOW,
        source: "compare_exchange(old, 0, Release, Relaxed)",
        weakened: "compare_exchange(old, 0, Relaxed, Relaxed)",
        model: "count::models::dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: SLOW,
        source: "let _ = self.acquire_last();",
        weakened: "",
        model: "count::models::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.store(tracker.cast_mut(), Release)",
        weakened: "self.0.store(tracker.cast_mut(), crate::sync::Ordering::Relaxed)",
        model: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.load(Acquire)",
        weakened: "self.0.load(crate::sync::Ordering::Relaxed)",
        model: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "spare.handler.store(handler, Release)",
        weakened: "spare.handler.store(handler, Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: HANDLER,
        source: "spare.context.store(context, Release)",
        weakened: "spare.context.store(context, Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: HANDLER,
        source: "self.sequence.store(next, Release)",
        weakened: "self.sequence.store(next, Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: HANDLER,
        source: "self.sequence.load(Acquire)",
        weakened: "self.sequence.load(Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: HANDLER,
        source: "copy.handler.load(Acquire)",
        weakened: "copy.handler.load(Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: HANDLER,
        source: "copy.context.load(Acquire)",
        weakened: "copy.context.load(Relaxed)",
        model: LATCH_MODEL,
        failure: TORN,
    },
    Mutant {
        file: SLOT,
        source: "published.swap(next, Release)",
        weakened: "published.swap(next, Relaxed)",
        model: "slot::tests::a_sequence_sees_what_was_published",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "fetch_sub(n as isize * ONE, Release)",
        weakened: "fetch_sub(n as isize * ONE, Relaxed)",
        model: "percpu::word::tests::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "let _ = self.0.load(Acquire);",
        weakened: "",
        model: "percpu::word::tests::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "fetch_add(parts.wrapping_sub(PERCPU), Release)",
        weakened: "fetch_add(parts.wrapping_sub(PERCPU), Relaxed)",
        model: "percpu::word::tests::fold_against_the_last_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) / ONE",
        weakened: "self.0.load(Relaxed) / ONE",
        model: "percpu::word::tests::whoever_finds_nobody_else_may_free_the_object",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) & !DEAD == 0",
        weakened: "self.0.load(Relaxed) & !DEAD == 0",
        model: "percpu::word::tests::whoever_finds_zero_may_reuse_the_object",
        failure: RACE,
    },
];

/// What may be relaxed because a lock makes several steps one, or because a later step mends it:
/// taken apart, it fails too.
const STEPS: &[Mutant] = &[
    Mutant {
        file: SLOT,
        source: "let kref = self.kref.load(Relaxed);",
        weakened: "drop(guard); let guard = (); let kref = self.kref.load(Relaxed);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
    },
    Mutant {
        file: SLOT,
        source: "let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        weakened: "drop(guard); let guard = (); let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
    },
    Mutant {
        file: SLOT,
        source: "let old = published.swap(next, Release);",
        weakened: "drop(guard); let guard = (); let old = published.swap(next, Release);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
    },
    Mutant {
        file: LOCKED,
        source: "kref.as_ref() }.try_get_unless_zero()",
        weakened: "kref.as_ref() }.try_get()",
        model: "lookup_locked_against_a_release_that_takes_the_lock",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "Sub::Slow => return Err(None),",
        weakened: "Sub::Slow => return Err(None), } if true { let old = self.lower(); \
                   if old == 1 { let _ = (self.acquire_last(), lock.lock()); } return Ok(old == 1);",
        model: "lookup_locked_against_put_locked",
        failure: DEAD,
    },
    Mutant {
        file: LOCKED,
        source: "let found = find();",
        weakened: "unsafe { lock.unlock() }; let found = find(); let _ = lock.lock();",
        model: "lookup_locked_against_put_locked",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.get_unless(n, |word| word & DEAD != 0 || word == 0)",
        weakened: "if self.is_dead() { return Ok(false); } self.tryget(n)",
        model: "percpu::word::tests::kill_against_tryget_live",
        failure: LATE,
    },
    Mutant {
        file: WORD,
        source: "let old = self.0.fetch_add(parts.wrapping_sub(PERCPU), Release);",
        weakened: "let old = self.0.fetch_sub(PERCPU, Release); self.0.fetch_add(parts, Release);",
        model: "percpu::word::tests::a_split_word_is_never_zero",
        failure: RACE,
    },
    Mutant {
        file: SLOW,
        source: "let counted = |value| without(raised(value, 1)?, 1);",
        weakened: "self.take_back(1); let counted = |value| raised(without(value, 0)?, 1);",
        model: "count::models::put_against_a_reader_of_a_slot",
        failure: UNDER_FEET,
    },
    Mutant {
        file: SLOW,
        source: "tracker::putting(self.as_kref(), n, references(old), by);",
        weakened: "",
        model: "count::models::put_against_put",
        failure: TOLD_TOO_LITTLE,
    },
    Mutant {
        file: COUNT,
        source: "self.refs.store(SATURATED, Relaxed);",
        weakened: "",
        model: "gets_and_a_put_at_the_largest_count",
        failure: NOT_SATURATED,
    },
];

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    ORDERINGS.iter().chain(STEPS)
}

#[test]
fn each_place_that_is_weakened_fails_its_model() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("orderings/package");
    copy_package(&package);

    // Cargo may have to fetch loom, which the crate does without in a normal build.
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

/// Tries one mutant. If its model did not fail as it should: what happened instead.
fn survivor(mutant: &Mutant, package: &Path) -> Option<String> {
    let Mutant { file, source, weakened, model, failure } = mutant;
    let path = package.join(file);
    let original = fs::read_to_string(&path).expect(file);
    fs::write(&path, original.replace(source, weakened)).expect(file);
    let output = models(package).args(["--offline", "--", "--exact", model]).output();
    fs::write(&path, original).expect(file);

    // A mutant that did not compile runs no test at all.
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
    for file in [COUNT, GET, PUT, SLOW, TRACKER, HANDLER, SLOT, WORD] {
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

/// The source without its comments, and without the `use` that imports the orderings.
fn code(source: &str) -> String {
    let lines: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = lines.join("\n");
    let code = code.split("#[cfg(all(loom, test))]").next().unwrap();
    let (before, import) = code.split_once("use crate::sync::").expect("the atomics' import");
    let (_, after) = import.split_once(';').expect("the end of the import");
    format!("{before}{after}")
}

/// Everything that cargo needs to build the package and its tests, and not the workspace's others.
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

/// The models, built to be ready soon rather than to run fast, and explored in full whatever the
/// environment says.
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

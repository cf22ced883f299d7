//! `make bugs`: runs the programs of c-tests/bugs under kref-track. The programs are in folders, by the kind
//! of the bug.
//!
//! Each program has one lifetime bug. Its opening comment names the kind of report that finds the
//! bug (` * found by: leak`), and may name the holder (` * holder: index`). The line that is to
//! blame is marked with `BLAME`. Compiled with -DWRONG a program has its bug; compiled with -DRIGHT
//! it has none, and kref-track must report nothing. The table shows the reports.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::kref_track::compile;
use kref_c_tests::{Compiler, Prefix, c_tests, run};
use serde_json::Value;

/// Bugs that kref-track does not find, with the reason. A bug of this list that is found is a
/// failure.
const NOT_FOUND: &[(&str, &str)] = &[];

/// The number of schedules to try on a race.
const SEEDS: u32 = 20;

fn main() -> ExitCode {
    // There are no tests to list: this program prints a table.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let mut failures = 0;
    println!("{:24} built  {:18} blamed  to blame  how", "bug", "found");
    for source in sources() {
        let bug = Bug::read(&source);
        if wanted.is_empty() || wanted.iter().any(|name| bug.name.contains(name)) {
            failures += u32::from(!bug.examine());
        }
    }
    println!("{failures} not as they should be");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn sources() -> Vec<PathBuf> {
    let entries = |folder: PathBuf| {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        entries.map(|entry| entry.expect("an entry").path())
    };
    let folders = entries(c_tests().join("bugs")).filter(|path| path.is_dir());
    let mut sources: Vec<_> = folders
        .flat_map(entries)
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    sources
}

struct Bug {
    name: String,
    /// The source below c-tests, without its extension.
    source: String,
    /// The report that finds the bug: a kind of misuse, `leak`, or `race`.
    found_by: String,
    holder: Option<String>,
    blame: u64,
}

/// One report: its kind, the line of its first stack, and the holder.
#[derive(Debug)]
struct Finding {
    kind: String,
    line: u64,
    holder: Option<String>,
}

impl Bug {
    fn read(source: &Path) -> Self {
        let text = std::fs::read_to_string(source).expect("a source file");
        let value = |key: &str| {
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix("* ")?.strip_prefix(key));
            line.map(|value| value.trim().to_string())
        };
        let blame = text.lines().position(|line| line.contains("/* BLAME */"));
        Self {
            name: source.file_stem().expect("a name").to_string_lossy().into_owned(),
            source: source
                .strip_prefix(c_tests())
                .expect("a source of c-tests")
                .with_extension("")
                .to_string_lossy()
                .into_owned(),
            found_by: value("found by:").expect("a line that says by what it is found"),
            holder: value("holder:"),
            blame: blame.expect("a line to blame") as u64 + 1,
        }
    }

    /// Prints the bug's row. Returns false if the row is not as it should be.
    fn examine(&self) -> bool {
        let mut good = true;
        for level in ["-O0", "-O2"] {
            let (how, findings) = self.find(level);
            let right = findings.iter().find(|finding| self.is_right(finding));
            let shown = right.or(findings.first());
            let found = shown.map_or("-", |finding| &finding.kind);
            let line = shown.map_or("-".to_string(), |finding| finding.line.to_string());
            let noise = self.noise(level);
            let excuse = NOT_FOUND.iter().find(|(name, _)| *name == self.name);
            let note = match (right, excuse) {
                (Some(_), None) => how,
                (None, Some((_, reason))) => format!("NOT FOUND: {reason}"),
                (None, None) => "NOT FOUND".to_string(),
                (Some(_), Some(_)) => format!("{how}: found after all"),
            };
            let noise_note =
                if noise.is_empty() { String::new() } else { format!("; RIGHT TWIN: {noise}") };
            println!(
                "{:24} {level:6} {found:18} {line:>6}  {:>8}  {note}{noise_note}",
                self.name, self.blame
            );
            let as_it_should = right.is_some() != excuse.is_some() && noise.is_empty();
            if !as_it_should {
                // As cargo's own tests say it, for ci/check.sh and .ci/run, which list what failed.
                println!("test bugs/{} {level} ... FAILED", self.name);
            }
            good &= as_it_should;
        }
        good
    }

    /// The first run that finds the bug, or else the last run.
    fn find(&self, level: &str) -> (String, Vec<Finding>) {
        let program = self.compile(level, "WRONG");
        let mut last = (String::new(), Vec::new());
        for options in self.attempts() {
            let (output, _) = track(&program, &options);
            last = (options.join(" "), findings(&output));
            if last.1.iter().any(|finding| self.is_right(finding)) {
                break;
            }
        }
        last
    }

    fn attempts(&self) -> Vec<Vec<String>> {
        let mut attempts = vec![vec![]];
        if self.found_by == "race" {
            attempts.extend((1..=SEEDS).map(|seed| vec!["--seed".into(), seed.to_string()]));
        } else {
            attempts.push(vec!["--keep-freed".to_string()]);
        }
        attempts
    }

    fn is_right(&self, finding: &Finding) -> bool {
        let kind = self.found_by == "race" || self.found_by == finding.kind;
        kind && finding.line == self.blame && self.holder == finding.holder
    }

    /// All reports on the right twin, from every kind of run. There must be none.
    fn noise(&self, level: &str) -> String {
        let program = self.compile(level, "RIGHT");
        let mut noise = String::new();
        for options in self.attempts() {
            let (output, success) = track(&program, &options);
            noise += &output;
            if !success {
                noise += "it failed";
            }
        }
        noise
    }

    fn compile(&self, level: &str, twin: &str) -> PathBuf {
        compile(Compiler::any(), &self.source, &[level, &format!("-D{twin}")])
    }
}

/// Runs a program under kref-track.
fn track(program: &Path, options: &[String]) -> (String, bool) {
    let mut command = Command::new(Prefix::plain().kref_track());
    command.args(["--format", "json"]).args(options).arg(program);
    // libkref reports a misuse by itself, too; these lines are not wanted here.
    let ended = run(command.env("KREF_OPTIONS", "on_violation=quiet"));
    (ended.output, ended.success)
}

fn findings(output: &str) -> Vec<Finding> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).flat_map(read).collect()
}

/// The findings of one report: one for a misuse, or one for each type that is still held.
fn read(report: Value) -> Vec<Finding> {
    let finding = |kind: &Value, stack: &Value, holder: &Value| Finding {
        kind: kind.as_str().unwrap_or("leak").to_string(),
        line: stack[0]["line"].as_u64().unwrap_or(0),
        holder: holder.as_str().map(str::to_string),
    };
    if report["kind"] == "misuse" {
        // Nobody knows who wrote into released memory: the report has the release.
        let act = if report["by"]["stack"][0].is_null() { "released" } else { "by" };
        return vec![finding(&report["misuse"], &report[act]["stack"], &report["holder"])];
    }
    let types = report["types"].as_array().cloned().unwrap_or_default();
    let first = |of: &Value| {
        let held = &of["held"][0];
        finding(&Value::Null, &held["stack"], &held["holder"])
    };
    types.iter().map(first).collect()
}

//! `make bugs`: runs the programs of c-tests/bugs under kref-track. The programs are in folders, by the kind
//! of the bug.
//!
//! Each program has one lifetime bug. Its opening comment names the kind of report that finds the
//! bug (` * found by: leak`), and may name the holder (` * holder: index`), and the functions that only
//! get and put for their callers (` * wrappers: ref unref`). The line that is to blame is marked with
//! `BLAME`. The first finding must name it, as the innermost line of its stack that is of the program
//! and of no wrapper; or, where such references are usually given back, the line of the put that was left
//! out, which is marked with `LEFT OUT`. A finding names at most two lines. If a released object was misused:
//! that of the misuse and that of the release, since either may be wrong. If a leak is not certain: that of the
//! get that is blamed, and that of the other get that may be to blame. If kref-track cannot know the bug (` * found by: nothing`), the comment has a text of the
//! `--summary` that says so (` * said: ...`).
//!
//! Compiled with -DWRONG a program has its bug; compiled with -DRIGHT it has none, and kref-track must
//! report nothing. The table shows the reports.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::kref_track::compile;
use kref_c_tests::{Compiler, Prefix, c_tests, is_rest, run};
use rayon::prelude::*;
use serde_json::Value;

/// Leaks whose line kref-track cannot tell. It must say that it is not known. One that is found is a failure.
const NOT_KNOWN: &[&str] = &["second-of-three-uses"];

/// The number of schedules to try on a race.
const SEEDS: u32 = 20;

fn main() -> ExitCode {
    // There are no tests to list: this program prints a table.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_wanted =
        |bug: &Bug| wanted.is_empty() || wanted.iter().any(|name| bug.name.contains(name));
    let bugs: Vec<_> = sources().iter().map(|it| Bug::read(it)).filter(is_wanted).collect();
    let built = |at: usize| match is_rest() {
        true => &LEVELS[at % 2..=at % 2],
        false => &LEVELS[..],
    };
    let all =
        bugs.iter().enumerate().flat_map(|(at, bug)| built(at).iter().map(move |it| (bug, it)));
    let all: Vec<_> = all.collect();
    let rows: Vec<Row> = all.par_iter().map(|(bug, level)| bug.examine(level)).collect();
    println!("{:24} built  {:18} blamed  to blame  how", "bug", "found");
    rows.iter().for_each(|row| println!("{}", row.text));
    let failures = rows.iter().filter(|row| !row.is_as_it_should).count();
    println!("{failures} not as they should be");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A bug is built without optimisation, and with it. CI's short form builds each bug in one of these ways.
const LEVELS: [&str; 2] = ["-O0", "-O2"];

fn sources() -> Vec<PathBuf> {
    let entries = |folder: PathBuf| {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        entries.map(|entry| entry.expect("an entry").path())
    };
    let folders = entries(c_tests().join("bugs")).filter(|path| path.is_dir());
    let mut sources: Vec<_> = folders
        .flat_map(entries)
        .filter(|path| path.extension().is_some_and(|ending| ending == "c" || ending == "cpp"))
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
    wrappers: Vec<String>,
    /// What the summary says, if nothing finds the bug.
    said: Option<String>,
    blame: u64,
    /// The put that one run has left out, if there is one.
    left_out: Option<u64>,
}

/// One report: its kind, the stacks that it blames, and the holder.
#[derive(Debug)]
struct Finding {
    kind: String,
    stacks: Vec<Value>,
    /// Where such references are given back.
    usual: Vec<Value>,
    holder: Option<String>,
    /// Whether the report says that the line is not known.
    is_unknown: bool,
}

/// A line of the table.
struct Row {
    text: String,
    is_as_it_should: bool,
}

impl Bug {
    fn read(source: &Path) -> Self {
        let text = std::fs::read_to_string(source).expect("a source file");
        let value = |key: &str| {
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix("* ")?.strip_prefix(key));
            line.map(|value| value.trim().to_string())
        };
        let marked = |mark: &str| {
            let has = |line: &str| {
                line.contains(&format!("/* {mark} */")) || line.contains(&format!("// {mark}"))
            };
            text.lines().position(has).map(|at| at as u64 + 1)
        };
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
            wrappers: value("wrappers:")
                .iter()
                .flat_map(|names| names.split(' '))
                .map(str::to_string)
                .collect(),
            said: value("said:"),
            blame: marked("BLAME").expect("a line to blame"),
            left_out: marked("LEFT OUT"),
        }
    }

    /// The bug's row.
    fn examine(&self, level: &str) -> Row {
        let (how, first) =
            if self.said.is_some() { (self.summary(level), None) } else { self.find(level) };
        let is_right = match &self.said {
            Some(said) => how.contains(said),
            None => first.as_ref().is_some_and(|finding| self.is_right(finding)),
        };
        let found = first.as_ref().map_or("-", |finding| &finding.kind);
        let lines: Vec<_> = first.iter().flat_map(|finding| self.lines(finding)).collect();
        let line = lines.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        let noise = self.noise(level);
        let is_told = !NOT_KNOWN.contains(&self.name.as_str());
        let is_unknown = first.as_ref().is_some_and(|finding| finding.is_unknown);
        let note = match (is_right, is_told) {
            (true, true) if self.said.is_some() => "not known, as the summary says".to_string(),
            (true, true) => how.trim_end().to_string(),
            (false, false) if is_unknown => "not known, as the report says".to_string(),
            (false, _) => "NOT FOUND".to_string(),
            (true, false) => format!("{how}: found after all"),
        };
        let noise_note =
            if noise.is_empty() { String::new() } else { format!("; RIGHT TWIN: {noise}") };
        let mut text = format!(
            "{:24} {level:6} {found:18} {line:>7} {:>8}  {note}{noise_note}",
            self.name, self.blame
        );
        let is_as_it_should = is_right == is_told && (is_told || is_unknown) && noise.is_empty();
        if !is_as_it_should {
            // As cargo's own tests say it, for ci/check.sh and .ci/run, which list what failed.
            text += &format!("\ntest bugs/{} {level} ... FAILED", self.name);
        }
        Row { text, is_as_it_should }
    }

    /// How the bug was found: by the first run whose first finding is right, or else by the first that finds
    /// anything.
    fn find(&self, level: &str) -> (String, Option<Finding>) {
        let program = self.compile(level, "WRONG");
        let mut found = (String::new(), None);
        for options in self.attempts() {
            let (output, _) = track(&program, &options);
            let first = findings(&output).into_iter().next();
            if first.as_ref().is_some_and(|finding| self.is_right(finding)) {
                return (options.join(" "), first);
            }
            if found.1.is_none() {
                found = (options.join(" "), first);
            }
        }
        found
    }

    /// What the summary says of a bug that nothing finds. Empty if something is found after all.
    fn summary(&self, level: &str) -> String {
        let program = self.compile(level, "WRONG");
        let found = self.attempts().iter().any(|options| !track(&program, options).0.is_empty());
        if found { String::new() } else { summary(&program) }
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
        let is_put = || self.left_out.is_some_and(|put| self.put(finding) == Some(put));
        let is_named = self.lines(finding).contains(&self.blame) || is_put();
        kind && is_named && self.holder == finding.holder
    }

    /// Where references like the blamed one are given back most often.
    fn put(&self, finding: &Finding) -> Option<u64> {
        finding.usual.first().and_then(|stack| self.line(stack))
    }

    /// The lines that a finding blames.
    fn lines(&self, finding: &Finding) -> Vec<u64> {
        finding.stacks.iter().filter_map(|stack| self.line(stack)).collect()
    }

    /// The innermost line of a stack that is of the program and of no wrapper.
    fn line(&self, stack: &Value) -> Option<u64> {
        let file = Path::new(&self.source).file_name();
        let is_mine = |frame: &&Value| {
            let path = Path::new(frame["file"].as_str().unwrap_or(""));
            let function = frame["function"].as_str().unwrap_or("");
            path.file_stem() == file && !self.wrappers.iter().any(|name| name == function)
        };
        stack.as_array()?.iter().find(is_mine)?["line"].as_u64()
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
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    run_with(program, &[&["--format", "json"], options.as_slice()].concat())
}

/// The summary of a run.
fn summary(program: &Path) -> String {
    run_with(program, &["--summary"]).0
}

fn run_with(program: &Path, options: &[&str]) -> (String, bool) {
    let mut command = Command::new(Prefix::plain().kref_track());
    command.args(options).arg(program);
    // libkref reports a misuse by itself, too; these lines are not wanted here.
    let ended = run(command.env("KREF_OPTIONS", "on_violation=quiet"));
    (ended.output, ended.success)
}

fn findings(output: &str) -> Vec<Finding> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).flat_map(read).collect()
}

/// The findings of one report: one for a misuse, or one for each type that is still held.
fn read(report: Value) -> Vec<Finding> {
    let holder = |of: &Value| of["holder"].as_str().map(str::to_string);
    let stack = |act: &str| report[act]["stack"].clone();
    let text = |key: &str| report[key].as_str().unwrap_or("").to_string();
    match report["kind"].as_str() {
        Some("misuse") => {
            // Nobody knows who wrote into released memory: the report has the release.
            let stacks = vec![stack("by"), stack("released")];
            let (kind, usual) = (text("misuse"), Vec::new());
            vec![Finding { kind, stacks, usual, holder: holder(&report), is_unknown: false }]
        }
        Some("held") => {
            let held = report["types"].as_array().cloned().unwrap_or_default();
            let first = |of: &Value| {
                let (held, verdict) = (&of["held"][0], &of["held"][0]["verdict"]);
                let rival = &verdict["rival"]["line"]["stack"];
                let is_there = |stack: &Value| stack.is_array();
                let stacks = [held["stack"].clone(), rival.clone()].into_iter().filter(is_there);
                let usual = verdict["usual"].as_array().into_iter().flatten();
                Finding {
                    kind: "leak".to_string(),
                    stacks: stacks.collect(),
                    usual: usual.map(|put| put["stack"].clone()).collect(),
                    holder: holder(held),
                    is_unknown: verdict["certainty"] == "unknown",
                }
            };
            held.iter().map(first).collect()
        }
        _ => {
            let (stacks, usual) = (vec![stack("by")], Vec::new());
            vec![Finding { kind: text("kind"), stacks, usual, holder: None, is_unknown: false }]
        }
    }
}

//! A right program whose gets and puts carry their roles, and its mutants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::{Compiler, Finished, Kind, Prefix, WARNINGS, c_tests, run, scratch};

/// With the optimisations that are left out, gcc and clang give one call instruction, or none, to several lines
/// of the source. Then no debugger knows the line.
const FLAGS: [&str; 4] = ["-std=gnu11", "-O2", "-g", "-fno-optimize-sibling-calls"];
const GCC_FLAGS: [&str; 3] = ["-fno-crossjumping", "-fno-tree-tail-merge", "-fno-ipa-icf"];

/// A file's name and a line number.
pub type Line = (String, u64);

/// Which executions of the puts of a role are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Each one.
    All,
    /// A tenth of them.
    Tenth,
    /// One.
    One,
}

impl Dropped {
    pub const KINDS: [Self; 3] = [Self::All, Self::Tenth, Self::One];

    pub fn name(self) -> &'static str {
        ["all", "a tenth", "one"][self as usize]
    }
}

/// A program of c-tests/evidence/programs: a file, or a folder of files.
#[derive(Debug)]
pub struct Program {
    /// `dev/accounts`.
    pub name: String,
    sources: Vec<PathBuf>,
    gets: BTreeMap<Line, String>,
    puts: BTreeMap<Line, String>,
}

impl Program {
    /// All programs, sorted by name.
    pub fn all() -> Vec<Self> {
        let root = c_tests().join("evidence/programs");
        let entries = entries(&root).into_iter().flat_map(|set| entries(&set));
        let mut programs: Vec<_> = entries.map(|path| Self::read(&root, &path)).collect();
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        programs
    }

    fn read(root: &Path, path: &Path) -> Self {
        let sources = if path.is_dir() { entries(path) } else { vec![path.to_path_buf()] };
        let name = path.strip_prefix(root).expect("a path below the root").with_extension("");
        let [mut gets, mut puts] = [BTreeMap::new(), BTreeMap::new()];
        for source in &sources {
            for (number, line) in (1..).zip(text(source).lines()) {
                for (mark, lines) in [("/* get: ", &mut gets), ("/* put: ", &mut puts)] {
                    if let Some(role) = role(line, mark) {
                        lines.insert((file_name(source), number), role);
                    }
                }
            }
        }
        Self { name: name.to_string_lossy().into_owned(), sources, gets, puts }
    }

    /// `dev`, `held` or `large`.
    pub fn set(&self) -> &str {
        self.name.split('/').next().expect("a name with a folder")
    }

    pub fn roles(&self) -> Vec<String> {
        let roles: BTreeSet<_> = self.puts.values().cloned().collect();
        roles.into_iter().collect()
    }

    /// The role of the innermost line of a stack that has one.
    pub fn role_of_get(&self, stack: &[Line]) -> Option<&str> {
        stack.iter().find_map(|line| self.gets.get(line)).map(String::as_str)
    }

    pub fn role_of_put(&self, stack: &[Line]) -> Option<&str> {
        stack.iter().find_map(|line| self.puts.get(line)).map(String::as_str)
    }

    /// Compiles the program as it is.
    pub fn compile(&self) -> PathBuf {
        let made = self.folder("right").join("program");
        let sources: Vec<_> = self.sources.iter().filter(|path| is_c(path)).cloned().collect();
        compile(Compiler::any().command().args(WARNINGS), &sources, &made);
        made
    }

    /// Compiles the program with evidence_drop() in front of each put of the role.
    pub fn compile_without(&self, role: &str) -> PathBuf {
        let folder = self.folder(&role.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let mut sources = Vec::new();
        for source in &self.sources {
            let copy = folder.join(file_name(source));
            std::fs::write(&copy, self.mutated(source, role)).expect("target can be written");
            if is_c(&copy) {
                sources.push(copy);
            }
        }
        let made = folder.join("program");
        let header = c_tests().join("evidence/drop.h");
        compile(Compiler::any().command().arg("-w").arg("-include").arg(header), &sources, &made);
        made
    }

    fn mutated(&self, source: &Path, role: &str) -> String {
        let mut mutated = String::new();
        for (number, line) in (1..).zip(text(source).lines()) {
            if self.puts.get(&(file_name(source), number)).is_some_and(|of| of == role) {
                mutated += "if (evidence_drop()) { } else ";
            }
            mutated += line;
            mutated += "\n";
        }
        mutated
    }

    fn folder(&self, of: &str) -> PathBuf {
        let folder = scratch().join("evidence").join(&self.name).join(of);
        std::fs::create_dir_all(&folder).expect("target can be written");
        folder
    }

    /// The value of EVIDENCE_DROP, or None if the puts of this role are executed too seldom for it.
    pub fn which(&self, role: &str, dropped: Dropped, executions: u64) -> Option<String> {
        let seed =
            (self.name.bytes().chain(role.bytes())).fold(7, |sum, byte| mix(sum ^ u64::from(byte)));
        // Threads may make one execution less in the next run.
        let one = seed.checked_rem(executions - executions / 8)?;
        let chosen: Vec<u64> = match dropped {
            Dropped::All => return Some("all".to_string()),
            Dropped::One if executions > 1 => vec![one],
            Dropped::Tenth if executions >= 20 => {
                let others =
                    (0..executions).filter(|at| *at != one && mix(seed ^ at).is_multiple_of(10));
                others.take((executions / 10 - 1) as usize).chain([one]).collect()
            }
            _ => return None,
        };
        Some(chosen.iter().fold(",".to_string(), |list, at| format!("{list}{at},")))
    }
}

/// How often the puts of the mutant are executed.
pub fn executions(mutant: &Path) -> u64 {
    let ended = run(Command::new(mutant).env("EVIDENCE_DROP", ""));
    assert!(ended.success, "{mutant:?}: {ended:?}");
    let told = ended.output.lines().find_map(|line| line.strip_prefix("executions: "));
    told.map_or(0, |number| number.parse().expect("a number"))
}

/// Runs a program under kref-track.
pub fn track(program: &Path, drop: &str) -> Finished {
    let mut command = Command::new(Prefix::plain().kref_track());
    command.args(["--format", "json"]).arg(program).env("EVIDENCE_DROP", drop);
    run(command.env("KREF_OPTIONS", "on_violation=quiet"))
}

fn compile(command: &mut Command, sources: &[PathBuf], made: &Path) {
    let prefix = Prefix::plain();
    command.args(FLAGS);
    if Compiler::any().kind() == Kind::Gcc {
        command.args(GCC_FLAGS);
    }
    command.arg("-I").arg(prefix.include()).args(sources).arg("-o").arg(made);
    command.arg("-L").arg(prefix.lib()).arg(format!("-Wl,-rpath,{}", prefix.lib().display()));
    let compiled = run(command.args(["-lkref", "-pthread"]));
    assert!(compiled.success, "{made:?}:\n{}", compiled.output);
}

/// The role of a line that has this mark: `/* put: index */`.
fn role(line: &str, mark: &str) -> Option<String> {
    let (_, rest) = line.split_once(mark)?;
    Some(rest.split_once(" */").expect("an end of the comment").0.to_string())
}

/// splitmix64.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

fn is_c(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

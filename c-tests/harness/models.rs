//! The models of models/, checked by spin: each is a test, and so is each of its variants.
//!
//! The model as it stands must hold in every state that it can reach. Its opening comment names
//! variants that must hold, too (` * right: A B: why`, with A and B defined), and broken twins, in
//! which spin must find an assertion violated (` * broken: A B: why`).

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use kref_c_tests::{Compiler, Finished, Kind, project, run, scratch, spin, unless_missing};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = models().into_iter().map(|model| {
        Trial::ignorable_test(model.name(), move || {
            unless_missing(tools(), |gcc| model.judge(&model.explore(gcc)?))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// One way to check one file.
struct Model {
    file: PathBuf,
    /// What is defined.
    twin: Vec<String>,
    holds: bool,
}

/// All of them: the files that run by themselves, with what they say of their variants.
fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for entry in std::fs::read_dir(project().join("models")).expect("models can be read") {
        let file = entry.expect("models can be read").path();
        let text = std::fs::read_to_string(&file).expect("UTF-8");
        if !text.contains("\ninit {") {
            continue;
        }
        models.push(Model { file: file.clone(), twin: Vec::new(), holds: true });
        for line in text.lines().take_while(|line| !line.contains("*/")) {
            let said = line.trim_start_matches([' ', '*']).split_once(": ");
            let holds = match said {
                Some(("right", _)) => true,
                Some(("broken", _)) => false,
                _ => continue,
            };
            let (names, _why) = said.and_then(|(_, rest)| rest.split_once(": ")).expect("A B: why");
            let twin = names.split(' ').map(str::to_string).collect();
            models.push(Model { file: file.clone(), twin, holds });
        }
    }
    models.sort_by_key(Model::name);
    assert!(models.iter().any(|model| !model.holds), "no broken twin was found");
    models
}

/// The C compiler, where spin is there, too. It must be gcc: spin calls it by that name.
fn tools() -> Result<Compiler, String> {
    if !spin() {
        return Err("no spin on this machine".into());
    }
    Compiler::need(Kind::Gcc)
}

impl Model {
    fn name(&self) -> String {
        let file = self.file.file_stem().expect("a name").display();
        let kind = if self.holds { "right" } else { "broken" };
        let twin = if self.twin.is_empty() { "as_it_stands".into() } else { self.twin.join("+") };
        format!("{file}::{kind}::{twin}")
    }

    /// Has spin write the program that goes through all the states, and runs it.
    fn explore(&self, gcc: Compiler) -> Result<Finished, String> {
        let folder = scratch().join("models").join(self.name().replace("::", "."));
        // Nothing of an earlier run may pass for this one's.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let step = |command: &mut Command| {
            let ended = run(command.current_dir(&folder));
            if ended.success { Ok(ended) } else { Err(ended.output) }
        };
        let twin = self.twin.iter().map(|name| format!("-D{name}"));
        step(Command::new("spin").arg("-a").args(twin).arg(&self.file))?;
        // Without warnings: pan.c is spin's. At most a gigabyte, in which COLLAPSE packs the states.
        let flags = ["-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1000"];
        step(gcc.command().args(flags).args(["-o", "pan", "pan.c"]))?;
        step(&mut Command::new(folder.join("pan")))
    }

    /// pan ends with status 0 whatever it found: what it says counts.
    fn judge(&self, pan: &Finished) -> Result<(), String> {
        let says = |words: &str| pan.output.contains(words);
        let right = if self.holds {
            // Every state was visited, and the last statement of `init` is in one of them.
            let end = pan.output.split("unreached in init").nth(1).unwrap_or_default();
            says("errors: 0")
                && !says("max search depth too small")
                && !says("Search not completed")
                && end.trim_start().starts_with("(0 of ")
        } else {
            says("errors: 1") && says("assertion violated")
        };
        if right { Ok(()) } else { Err(pan.output.clone()) }
    }
}

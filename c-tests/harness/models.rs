//! Checks the models of models/ with spin. Each model is a test, and so is each variant of a model.
//!
//! The assertions of a model must hold in every state that the model can reach. The opening comment
//! of a model names its variants. A line ` * right: A B: why` is a variant with A and B defined,
//! whose assertions must hold, too. A line ` * broken: A B: why` is a broken twin, in which spin
//! must find a violated assertion.

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

/// One model, or one variant of a model.
struct Model {
    file: PathBuf,
    /// The names that are defined. None: the model as it stands.
    twin: Vec<String>,
    holds: bool,
}

/// All models and variants. A file without an `init` process is included by others, and is no
/// model.
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

/// The C compiler, if spin is installed, too. It must be gcc, because spin itself calls gcc.
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

    /// Has spin write the program that visits all states (pan), compiles the program, and runs it.
    fn explore(&self, gcc: Compiler) -> Result<Finished, String> {
        let folder = scratch().join("models").join(self.name().replace("::", "."));
        // A trail of an earlier run must not be taken for a trail of this run.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let step = |command: &mut Command| {
            let ended = run(command.current_dir(&folder));
            if ended.success { Ok(ended) } else { Err(ended.output) }
        };
        let twin = self.twin.iter().map(|name| format!("-D{name}"));
        step(Command::new("spin").arg("-a").args(twin).arg(&self.file))?;
        // No warnings, because spin wrote pan.c. At most one gigabyte; COLLAPSE compresses the
        // states.
        let flags = ["-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1000"];
        step(gcc.command().args(flags).args(["-o", "pan", "pan.c"]))?;
        step(&mut Command::new(folder.join("pan")))
    }

    /// pan exits with status 0 even if it finds an error, so its output decides.
    fn judge(&self, pan: &Finished) -> Result<(), String> {
        let says = |words: &str| pan.output.contains(words);
        let right = if self.holds {
            // pan visited every state, and one of the states is at the last statement of `init`.
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

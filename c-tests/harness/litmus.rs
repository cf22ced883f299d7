//! Checks the litmus tests of models/ with herd7: the orderings that the sequences of weakly ordered
//! processors ask for, in the processor's own memory model.
//!
//! The last line of a litmus test is a state that must not be reachable. The opening comment names the broken
//! twins. With a line ` * broken: OLD -> NEW: why`, OLD is replaced by NEW, and the state must be reachable.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use kref_c_tests::{Finished, project, run, scratch};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = tests().into_iter().map(|test| {
        Trial::ignorable_test(test.name(), move || {
            // herd7 is in Debian 14, so ci/cross.sh has it, and .ci/run does not.
            if !run(Command::new("herd7").arg("-version")).success {
                return Ok(Completion::ignored_with("no herd7 on this machine"));
            }
            test.judge(&test.explore()).map(|()| Completion::Completed)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A litmus test, or a broken twin.
struct Litmus {
    file: PathBuf,
    /// What is replaced, and by what. `None`: the test as it stands.
    twin: Option<(String, String)>,
}

fn tests() -> Vec<Litmus> {
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(project().join("models")).expect("models can be read") {
        let file = entry.expect("models can be read").path();
        if file.extension().is_none_or(|extension| extension != "litmus") {
            continue;
        }
        tests.push(Litmus { file: file.clone(), twin: None });
        let text = std::fs::read_to_string(&file).expect("UTF-8");
        let twins = text.lines().filter_map(|line| line.strip_prefix(" * broken: ")).map(|twin| {
            let (old, rest) = twin.split_once(" -> ").expect("OLD -> NEW: why");
            let (new, _why) = rest.split_once(": ").expect("OLD -> NEW: why");
            Some((old.to_string(), new.to_string()))
        });
        let twins: Vec<_> = twins.collect();
        assert!(!twins.is_empty(), "{}: no broken twin", file.display());
        tests.extend(twins.into_iter().map(|twin| Litmus { file: file.clone(), twin }));
    }
    tests.sort_by_key(Litmus::name);
    tests
}

impl Litmus {
    fn name(&self) -> String {
        let file = self.file.file_stem().expect("a name").display();
        match &self.twin {
            None => format!("{file}::right"),
            Some((old, new)) => format!("{file}::broken::{old}->{new}").replace(' ', "_"),
        }
    }

    /// Has herd7 visit all states.
    fn explore(&self) -> Finished {
        let text = std::fs::read_to_string(&self.file).expect("UTF-8");
        let (comment, test) = text.split_once("*)").expect("a comment");
        let test = match &self.twin {
            None => test.to_string(),
            Some((old, new)) => {
                assert_eq!(test.matches(old.as_str()).count(), 1, "{old} is to occur once");
                test.replace(old, new)
            }
        };
        let folder = scratch().join("litmus");
        std::fs::create_dir_all(&folder).expect("the scratch folder");
        let file = folder.join(self.name().replace(['>', ':'], "")).with_extension("litmus");
        std::fs::write(&file, format!("{comment}*){test}")).expect("the scratch folder");
        run(Command::new("herd7").arg(file))
    }

    fn judge(&self, herd: &Finished) -> Result<(), Failed> {
        let line = herd.output.lines().find(|line| line.starts_with("Observation "));
        let never = line.is_some_and(|line| line.contains(" Never "));
        let sometimes = line.is_some_and(|line| line.contains(" Sometimes "));
        let right = if self.twin.is_none() { never } else { sometimes };
        if right { Ok(()) } else { Err(herd.output.clone().into()) }
    }
}

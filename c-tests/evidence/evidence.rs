//! `make evidence`: how often kref-track blames the right line.
//!
//! The programs of c-tests/evidence/programs are right: every reference is given back. A comment in the line of
//! each get and each put names its role, one owner's claim: `/* get: index */`, `/* put: index */`. A mutant
//! of a program drops puts of one role: all, a tenth, or one. The get of that role is to blame. kref-track reads the
//! source lines, but not the comments.
//!
//! The matching was tuned on the programs of dev/. Those of held/ and large/ were written apart from it, so
//! their figures count.
//!
//! Without KREF_EVIDENCE, one mutant of each program of dev/. With KREF_EVIDENCE=1, all mutants of dev/ and held/,
//! and ten of each program of large/. With names as arguments, all mutants of these programs, one line for each.

mod marks;
mod program;
mod said;

use std::collections::BTreeMap;
use std::process::ExitCode;

use marks::wrong_marks;
use program::{Dropped, Program, executions, track};
use rayon::prelude::*;
use said::Said;

/// The mutants, of the 38 of the short form, whose right line must be first. 33 were measured on 2026-11-28. Some of
/// them drop a put of a thread, which is not the same put in each run.
const SHORT_FLOOR: usize = 31;

/// The mutants of each program of large/.
const TEN: usize = 10;

fn main() -> ExitCode {
    // There are no tests to list: this program prints a table.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let form = match std::env::var_os("KREF_EVIDENCE") {
        _ if !names.is_empty() => Form::Named(names),
        Some(_) => Form::Full,
        None => Form::Short,
    };
    let programs: Vec<_> = Program::all().into_iter().filter(|it| form.has(it)).collect();
    let results: Vec<_> =
        programs.par_iter().enumerate().map(|(at, program)| examine(program, at, &form)).collect();
    let bad = results.iter().filter(|result| !result.good).count();
    let mutants: Vec<_> = results.into_iter().flat_map(|result| result.mutants).collect();
    if let Form::Named(_) = form {
        mutants.iter().for_each(|mutant| println!("{}", mutant.describe()));
    }
    table(&mutants);
    let right = mutants.iter().filter(|mutant| mutant.is_first()).count();
    let low = matches!(form, Form::Short) && right < SHORT_FLOOR;
    if low {
        println!("test evidence/short ... FAILED");
        println!("the right line is first in {right} mutants, and must be in {SHORT_FLOOR}");
    }
    if bad == 0 && !low { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

enum Form {
    Short,
    Full,
    Named(Vec<String>),
}

impl Form {
    fn has(&self, program: &Program) -> bool {
        match self {
            Self::Short => program.set() == "dev",
            Self::Full => true,
            Self::Named(names) => names.iter().any(|name| program.name.contains(name)),
        }
    }

    /// The mutants of the program with this number: for each role, what is dropped.
    fn mutants(&self, at: usize, program: &Program) -> Vec<(String, Vec<Dropped>)> {
        let roles = program.roles();
        let some = match self {
            Self::Short => at..at + 1,
            Self::Full if program.set() == "large" => 0..TEN,
            _ => return roles.into_iter().map(|role| (role, Dropped::KINDS.to_vec())).collect(),
        };
        let mut mutants = BTreeMap::<String, Vec<Dropped>>::new();
        for at in some {
            // Each next one is of another role, and of another kind.
            let kind = Dropped::KINDS[(at + at / roles.len()) % Dropped::KINDS.len()];
            mutants.entry(roles[at % roles.len()].clone()).or_default().push(kind);
        }
        mutants.into_iter().collect()
    }
}

struct Examined {
    /// Whether the right program was passed over in silence, and its comments are right.
    good: bool,
    mutants: Vec<Mutant>,
}

struct Mutant {
    program: String,
    role: String,
    dropped: Dropped,
    /// Or the reason why the mutant does not count.
    said: Result<Said, String>,
}

impl Mutant {
    fn is_first(&self) -> bool {
        self.said.as_ref().is_ok_and(|said| said.place == Some(0))
    }

    fn describe(&self) -> String {
        let said = match &self.said {
            Err(reason) => format!("not counted: {reason}"),
            Ok(said) => {
                let place = said.place.map_or("-".to_string(), |place| (place + 1).to_string());
                let put = if said.put { " put" } else { "" };
                let certain = if said.certain { " certain" } else { "" };
                format!("{place}{put}{certain}: {}", said.blamed)
            }
        };
        format!("{:20} {:20} {:8} {said}", self.program, self.role, self.dropped.name())
    }
}

fn examine(program: &Program, at: usize, form: &Form) -> Examined {
    let right = program.compile();
    let ended = track(&right, "");
    // A report is a line of JSON; the program itself prints lines, too.
    let silent = ended.success && !ended.output.lines().any(|line| line.starts_with('{'));
    if !silent {
        println!("test evidence/{} ... FAILED\nit is right, but: {}", program.name, ended.output);
    }
    let wrong_marks = if matches!(form, Form::Short) { None } else { wrong_marks(program, &right) };
    if let Some(wrong) = &wrong_marks {
        println!("test evidence/{} ... FAILED\nits comments are wrong: {wrong}", program.name);
    }
    let mut mutants = Vec::new();
    for (role, kinds) in form.mutants(at, program) {
        let mutant = program.compile_without(&role);
        let executions = executions(&mutant);
        for dropped in kinds {
            let Some(which) = program.which(&role, dropped, executions) else { continue };
            let ended = track(&mutant, &which);
            let said = match Said::read(&ended.output, program, &role) {
                _ if !ended.success => {
                    Err(format!("{:?}, signal {:?}", ended.status, ended.signal))
                }
                said => said.ok_or("it has no leak".to_string()),
            };
            let (program, role) = (program.name.clone(), role.clone());
            mutants.push(Mutant { program, role, dropped, said });
        }
    }
    Examined { good: silent && wrong_marks.is_none(), mutants }
}

/// A row for each kind of mutant, and one for all kinds, of each set.
fn table(mutants: &[Mutant]) {
    println!(
        "{:6} {:8} cases  line first  line or put  in three  certain    and wrong",
        "set", "dropped"
    );
    for set in ["dev", "held", "large"] {
        let of_set: Vec<_> = mutants.iter().filter(|it| it.program.starts_with(set)).collect();
        if of_set.is_empty() {
            continue;
        }
        for dropped in Dropped::KINDS {
            let of_kind = of_set.iter().filter(|it| it.dropped == dropped).copied();
            row(set, dropped.name(), &of_kind.collect::<Vec<_>>());
        }
        row(set, "any", &of_set);
        for mutant in of_set.iter().filter(|it| it.said.is_err()) {
            println!("  {}", mutant.describe());
        }
    }
}

fn row(set: &str, dropped: &str, mutants: &[&Mutant]) {
    let said: Vec<_> = mutants.iter().filter_map(|it| it.said.as_ref().ok()).collect();
    let count = |is: &dyn Fn(&Said) -> bool| said.iter().filter(|said| is(said)).count();
    let share = |is: &dyn Fn(&Said) -> bool, whole: usize| {
        format!("{} ({}%)", count(is), (100 * count(is)).checked_div(whole).unwrap_or(0))
    };
    let all = said.len();
    println!(
        "{set:6} {dropped:8} {all:5}  {:10}  {:11}  {:8}  {:9}  {}",
        share(&|said| said.place == Some(0), all),
        share(&|said| said.place == Some(0) || said.put, all),
        share(&|said| said.place.is_some_and(|place| place < 3), all),
        share(&|said| said.certain, all),
        share(&|said| said.certain && said.place != Some(0), count(&|said| said.certain)),
    );
}

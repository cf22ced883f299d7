//! What kref-track says of a mutant, and whether that is right.

use std::path::Path;

use serde_json::Value;

use super::program::{Line, Program};

/// What was said first.
#[derive(Debug)]
pub struct Said {
    /// The place of the role among what is blamed, from 0.
    pub place: Option<usize>,
    /// Whether the usual put of what is blamed first is of the role.
    pub put: bool,
    pub certain: bool,
    /// The innermost lines of what is blamed first, for the reader.
    pub blamed: String,
}

/// References that are blamed.
struct Blamed {
    stack: Vec<Line>,
    usual_put: Vec<Line>,
    certain: bool,
}

impl Said {
    /// None if there is no report of a leak.
    pub fn read(output: &str, program: &Program, role: &str) -> Option<Self> {
        let mut reports =
            output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let held = reports.rfind(|report| report["kind"] == "held")?;
        let blamed: Vec<_> = list(&held["types"]).iter().flat_map(of_type).collect();
        let first = blamed.first()?;
        let is_right = |blamed: &Blamed| program.role_of_get(&blamed.stack) == Some(role);
        Some(Self {
            place: blamed.iter().position(is_right),
            put: program.role_of_put(&first.usual_put) == Some(role),
            certain: first.certain,
            blamed: describe(first, program),
        })
    }
}

/// What is blamed of a type, in the report's order: the likeliest first, then its rivals.
fn of_type(of: &Value) -> Vec<Blamed> {
    let blamed = |reference: &Value| Blamed {
        stack: lines(&reference["stack"]),
        usual_put: line(&reference["usual_put"]).into_iter().collect(),
        certain: reference.get("certain").unwrap_or(&of["certain"]) == true,
    };
    let with_rivals = |reference: &Value| {
        let rivals = list(&reference["rivals"]).iter().map(blamed).collect::<Vec<_>>();
        [blamed(reference)].into_iter().chain(rivals)
    };
    list(&of["held"]).iter().flat_map(with_rivals).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn lines(stack: &Value) -> Vec<Line> {
    list(stack).iter().filter_map(line).collect()
}

fn line(frame: &Value) -> Option<Line> {
    let file = Path::new(frame["file"].as_str()?).file_name()?.to_string_lossy().into_owned();
    Some((file, frame["line"].as_u64()?))
}

fn describe(first: &Blamed, program: &Program) -> String {
    let place =
        |line: Option<&Line>| line.map_or("?".into(), |(file, line)| format!("{file}:{line}"));
    let put = match first.usual_put.first() {
        Some(put) => format!(", usual put {}", place(Some(put))),
        None => String::new(),
    };
    let role = program.role_of_get(&first.stack).unwrap_or("none");
    format!("{} ({role}){put}", place(first.stack.first()))
}

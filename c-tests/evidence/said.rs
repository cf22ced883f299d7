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
    get: Named,
    usual_put: Named,
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
        let is_right = |blamed: &Blamed| program.role_of_get(&blamed.get.stack) == Some(role);
        Some(Self {
            place: blamed.iter().position(is_right),
            put: program.role_of_put(&first.usual_put.stack) == Some(role),
            certain: first.certain,
            blamed: describe(first, program),
        })
    }
}

/// A stack, and the line of it that the report names. The functions before only wrap the get or the put. A comment
/// with a role may be in one of them, so all lines of the stack count.
#[derive(Default)]
struct Named {
    stack: Vec<Line>,
    frame: usize,
}

/// What is blamed of a type, in the report's order: the references that are held, each group before its rival.
fn of_type(of: &Value) -> Vec<Blamed> {
    let of_group = |group: &Value| {
        let verdict = &group["verdict"];
        let certainty = verdict["certainty"].as_str();
        let first = Blamed {
            get: named(&group["stack"], &verdict["frame"]),
            usual_put: usual_put(verdict),
            certain: certainty.map_or(of["certain"] == true, |certainty| certainty == "certain"),
        };
        let rival = &verdict["rival"];
        let line = &rival["line"];
        let rival = rival.is_object().then(|| Blamed {
            get: named(&line["stack"], &line["frame"]),
            usual_put: usual_put(rival),
            certain: false,
        });
        [Some(first), rival].into_iter().flatten()
    };
    list(&of["held"]).iter().flat_map(of_group).collect()
}

/// Where such references are given back most often.
fn usual_put(of: &Value) -> Named {
    let first = list(&of["usual"]).first();
    first.map_or(Named::default(), |put| named(&put["stack"], &put["frame"]))
}

fn named(stack: &Value, frame: &Value) -> Named {
    Named { stack: lines(stack), frame: frame.as_u64().unwrap_or(0) as usize }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The lines of a stack, the innermost first.
pub fn lines(stack: &Value) -> Vec<Line> {
    list(stack).iter().filter_map(line).collect()
}

fn line(frame: &Value) -> Option<Line> {
    let file = Path::new(frame["file"].as_str()?).file_name()?.to_string_lossy().into_owned();
    Some((file, frame["line"].as_u64()?))
}

fn describe(first: &Blamed, program: &Program) -> String {
    let line =
        |named: &Named| named.stack.get(named.frame).map(|(file, line)| format!("{file}:{line}"));
    let put = line(&first.usual_put).map_or(String::new(), |put| format!(", usual put {put}"));
    let role = program.role_of_get(&first.get.stack).unwrap_or("none");
    format!("{} ({role}){put}", line(&first.get).unwrap_or_default())
}

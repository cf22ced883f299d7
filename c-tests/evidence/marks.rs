//! Checks the comments with the roles of a right program, `/* get: index */` and `/* put: index */`.
//!
//! A role is one owner's claim on objects. In a right program each role gives back on each object as many references as
//! it has taken there. So the program runs once with a trace, and each get and put of some of its objects is counted for
//! the role in the comment at its line. If the sum of a role on an object is not 0 at the end, a comment is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use kref_c_tests::{kref_track::kref_track, run};
use serde_json::Value;

use super::program::Program;
use super::said::lines;

/// The numbers of the objects whose gets and puts are counted: the first ones, and fewer and fewer of the later ones.
const OBJECTS: [u32; 16] = [1, 2, 3, 4, 5, 6, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610];

/// What is wrong with the comments, by the gets and puts of a run of the right program.
pub fn wrong_marks(program: &Program, made: &Path) -> Option<String> {
    let trace = made.with_extension("trace").display().to_string();
    let ended = run(kref_track(&["--trace", &trace]).arg(made));
    assert!(ended.success, "{made:?}: {ended:?}");
    OBJECTS.iter().find_map(|object| {
        let object = object.to_string();
        let options = ["--format", "json", "--object", &object, "report", &trace];
        let output = run(&mut kref_track(&options)).output;
        let events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        unbalanced(program, events).map(|wrong| format!("object {object}: {wrong}"))
    })
}

fn unbalanced(program: &Program, events: impl Iterator<Item = Value>) -> Option<String> {
    let mut balance = BTreeMap::<String, i32>::new();
    for event in events.filter(|event| event["kind"] == "event") {
        let stack = lines(&event["stack"]);
        let (get, put) = (program.role_of_get(&stack), program.role_of_put(&stack));
        // kref_slot_replace() moves references: each is a get and a put in one line.
        let (role, change) = match event["act"].as_str() {
            Some("created" | "get") => (get.or(put), 1),
            Some("put") => (put.or(get), -1),
            _ => continue,
        };
        let Some(role) = role else { return Some(format!("no role at {stack:?}")) };
        *balance.entry(role.to_string()).or_default() += change;
    }
    let (role, left) = balance.into_iter().find(|(_, left)| *left != 0)?;
    Some(format!("{role} has {left} at the end"))
}

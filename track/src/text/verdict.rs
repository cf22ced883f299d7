//! The sentences of a verdict: which put is missing, and what else may be to blame.

use std::fmt::Write as _;

use super::place;
use crate::evidence::{Blame, Certainty, Line};
use crate::world::World;

/// A frame that was not recorded.
pub const UNKNOWN: &str = "an unknown place";
/// What is said of a type if one of its references is not certain.
pub const UNCERTAIN: &str = "It is not certain which put gave back which reference";

/// Where such references are given back, and what else may be to blame.
pub fn verdict(world: &World, out: &mut String, blame: &Blame) {
    if let Some(usual) = usual(world, &blame.usual) {
        let _ = writeln!(out, "    {usual}");
    }
    let Some((line, is_first, puts)) = &blame.rival else { return };
    let words = rival(blame.certainty, *is_first, &named(world, line), usual(world, puts));
    let _ = writeln!(out, "    {words}");
}

fn usual(world: &World, puts: &[(Line, u64)]) -> Option<String> {
    let (first, count) = puts.first()?;
    Some(usually(&named(world, first), *count))
}

fn named(world: &World, line: &Line) -> String {
    world.code.described(line.stack).get(line.frame).map_or(UNKNOWN.to_string(), place)
}

/// Where references are given back most often: the put that may be missing.
pub fn usually(place: &str, count: u64) -> String {
    let times = if count == 1 { "once".to_string() } else { format!("{count} times") };
    format!("usually given back at {place} ({times})")
}

/// Which other reference may be the one that nobody gave back. `is_first`: it is that of kref_init(). `usual`: where
/// such references are given back.
pub fn rival(certainty: Certainty, is_first: bool, place: &str, usual: Option<String>) -> String {
    let whose = if is_first { "the creator's reference, of " } else { "the reference of " };
    let usual = usual.map_or(String::new(), |usual| format!(" ({usual})"));
    let words = match certainty {
        Certainty::Unknown => "It is not known which: this reference, a third one, or",
        Certainty::Open => "One of these two: this reference, or",
        _ => "This is likely, not certain. Less likely:",
    };
    format!("{words} {whose}{place}{usual}")
}

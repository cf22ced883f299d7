//! Operations without end: a get and a put; and a creation and its end, next to malloc and free. A tracked program waits
//! for its judge here, since the rings are full.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use kref_bench::{Estimate, Pace, median, verdict};
use kref_c_tests::scratch;

use crate::programs::is_here;

/// The goal: a creation and its end, tracked, to heaptrack's malloc and free.
const MOST: f64 = 2.0;
const OPERATIONS: &str = "2000000";

/// A row's name, the words before the program, what the program makes, and KREF_OPTIONS.
type Way = (&'static str, Vec<String>, &'static str, &'static str);

/// The table.
pub fn table(program: &Path, pace: Pace) -> String {
    let mut ways: Vec<Way> = vec![
        ("get, put without end", vec![], "pairs", ""),
        ("get, put without end, tracked", vec![], "pairs", "track=1"),
        ("malloc, free", vec![], "malloc", ""),
        ("kref_init, kref_put", vec![], "kref", ""),
        ("kref_init, kref_put, tracked", vec![], "kref", "track=1"),
    ];
    if is_here("heaptrack") {
        let file = scratch().join("bench/heaptrack").display().to_string();
        let words = ["heaptrack", "-o", &file].map(str::to_string).to_vec();
        ways.push(("malloc, free, heaptrack", words, "malloc", ""));
    }
    let rounds: Vec<Vec<f64>> = (0..pace.rounds(36))
        .map(|_| ways.iter().map(|way| nanoseconds(program, way)).collect())
        .collect();
    let column = |at: usize| median(rounds.iter().map(|round| round[at]).collect());
    let ratio =
        |at: usize, to: usize| Estimate::of(rounds.iter().map(|row| row[at] / row[to]).collect());
    let mut text =
        format!("{:37}{:>8}{:>9}{:>15}\n", "an object, 16 functions deep", "ns", "ratio", "95 %");
    for (at, (name, ..)) in ways.iter().enumerate() {
        let to_first = ratio(at, 0);
        let _ = writeln!(text, "{name:37}{:8.1}{:9.2}{to_first:>15}", column(at), to_first.median);
    }
    let tracked = 4;
    if ways.len() > tracked + 1 {
        let ratio = ratio(tracked, tracked + 1);
        let (verdict, median) = (verdict(MOST, ratio), ratio.median);
        let _ = writeln!(text, "{verdict:10}{MOST:.2}:{median:7.3} ({ratio}) tracked / heaptrack");
    } else {
        text += "left out: heaptrack, which is not installed\n";
    }
    text
}

/// The program says how long one took.
fn nanoseconds(program: &Path, (name, tool, what, options): &Way) -> f64 {
    let words = tool.iter().map(String::as_str).chain([program.to_str().expect("UTF-8")]);
    let words: Vec<_> = words.chain([*what, OPERATIONS]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("KREF_OPTIONS", options);
    let output = command.output().unwrap_or_else(|why| panic!("{name}: {why}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = said.lines().find_map(|line| line.parse().ok());
    number.unwrap_or_else(|| panic!("{name} has said no number:\n{said}"))
}

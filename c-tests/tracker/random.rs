//! Random programs of gets and puts over threads, signals and forks: what kref-track knows at each checkpoint is what the
//! program knows (random/balance.c). `KREF_RANDOM_PROGRAMS=1000` runs so many; a failure's name has its seed.

use std::collections::BTreeMap;

use kref_c_tests::kref_track::{compile, kref_track};
use kref_c_tests::{Compiler, run};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

const ROUNDS: &str = "10";
/// Seeds of one test.
const TOGETHER: u64 = 20;

fn main() {
    let programs = std::env::var("KREF_RANDOM_PROGRAMS").ok();
    let programs: u64 = programs.map_or(60, |number| number.parse().expect("a number"));
    let trials = (0..programs).step_by(TOGETHER as usize).map(|first| {
        let seeds = first..programs.min(first + TOGETHER);
        Trial::test(format!("seeds-{}-to-{}", seeds.start, seeds.end - 1), move || {
            seeds.clone().try_for_each(balance).map_err(Into::into)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Objects, and references by name: of each type that has any.
type Held = BTreeMap<String, (u64, BTreeMap<String, u64>)>;

fn balance(seed: u64) -> Result<(), String> {
    let program = compile(Compiler::any(), "tracker/random/balance", &["-O1"]);
    let mut command = kref_track(&["--format", "json", "--log-path", "/dev/null"]);
    let ended = run(command.arg(program).args([&seed.to_string(), ROUNDS]));
    if !ended.success {
        return Err(format!("seed {seed}: {ended:?}"));
    }
    let mut checkpoints = 0;
    let mut lines = ended.output.lines();
    while let Some(known) = lines.next() {
        let report = lines.next().unwrap_or_default();
        let judged = judged(report).ok_or_else(|| format!("seed {seed}: no report: {report}"))?;
        let known_here = parse(known).ok_or_else(|| format!("seed {seed}: not known: {known}"))?;
        if judged != known_here {
            return Err(format!(
                "seed {seed}, checkpoint {checkpoints}: judged {judged:#?}, but it is\n{known}\n{report}"
            ));
        }
        checkpoints += 1;
    }
    if checkpoints < 10 { Err(format!("seed {seed}: {ended:?}")) } else { Ok(()) }
}

/// `red=2 creator:1 a:3 ...;green=...`
fn parse(line: &str) -> Option<Held> {
    let mut held = Held::new();
    for of in line.split(';').filter(|of| !of.is_empty()) {
        let mut words = of.split(' ');
        let (name, objects) = words.next()?.split_once('=')?;
        let mut references = BTreeMap::new();
        for word in words {
            let (holder, count) = word.split_once(':')?;
            let count = count.parse().ok()?;
            if count > 0 {
                references.insert(holder.to_string(), count);
            }
        }
        if !references.is_empty() {
            held.insert(name.to_string(), (objects.parse().ok()?, references));
        }
    }
    Some(held)
}

fn judged(line: &str) -> Option<Held> {
    let report: Value = serde_json::from_str(line).ok()?;
    let mut held = Held::new();
    for of in report["types"].as_array()? {
        let mut references = BTreeMap::new();
        for group in of["held"].as_array()? {
            let holder = group["holder"].as_str().unwrap_or("creator");
            *references.entry(holder.to_string()).or_insert(0) += group["count"].as_u64()?;
        }
        held.insert(of["type"].as_str()?.to_string(), (of["objects"].as_u64()?, references));
    }
    Some(held)
}

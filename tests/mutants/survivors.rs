//! The mutants of cargo-mutants that no test can find, and why. `make mutants` compares this table with the mutants
//! that survived.

use std::{env, fs};

use crate::package::read;

/// Mutants that survive in one place of the source.
struct Survivor {
    file: &'static str,
    /// Occurs once in the file.
    source: &'static str,
    /// What cargo-mutants does there, without the name of the function.
    mutants: &'static [&'static str],
    /// Why no test can find them.
    reason: &'static str,
}

const NO_COMMON_BIT: &str = "the flags have no bit in common";

const SURVIVORS: &[Survivor] = &[
    Survivor {
        file: "src/count/get.rs",
        source: "while n >= 0 && old < 0 &&",
        mutants: &["replace < with ==", "replace < with <="],
        reason: "with `==` the loop is never entered for a live count, and the cold path gives the same \
                 result; with `<=` only an `old` of 0 is new, and `FULL - 0` is -2, so `n` is larger",
    },
    Survivor {
        file: "src/count/misuse.rs",
        source: "if s < MIDDLE",
        mutants: &["replace < with <="],
        reason: "2^30 threads would have to increment one count before it has this value",
    },
    Survivor {
        file: "src/rseq/area.rs",
        source: "if result < 0 { errno::get() }",
        mutants: &["replace < with <="],
        reason: "the kernel always refuses this address, so the result is never 0",
    },
    Survivor {
        file: "src/rseq/area.rs",
        source: "mask.as_mut_ptr()) > 0",
        mutants: &["replace > with >="],
        reason: "the kernel returns the number of bytes that it has written, which is not 0",
    },
    Survivor {
        file: "src/sys/memory.rs",
        source: "libc::PROT_READ | libc::PROT_WRITE",
        mutants: &["replace | with ^"],
        reason: NO_COMMON_BIT,
    },
    Survivor {
        file: "src/sys/memory.rs",
        source: "libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE",
        mutants: &["replace | with ^"],
        reason: NO_COMMON_BIT,
    },
    Survivor {
        file: "src/sys/memory.rs",
        source: "protection, kind, -1, 0",
        mutants: &["delete -"],
        reason: "the kernel does not look at the file of an anonymous mapping",
    },
    Survivor {
        file: "src/percpu/mode.rs",
        source: "flags & (INIT_ATOMIC | ALLOW_REINIT)",
        mutants: &["replace | with ^"],
        reason: NO_COMMON_BIT,
    },
    Survivor {
        file: "src/percpu/word.rs",
        source: "SATURATED_AT | (old & (DEAD | PERCPU))",
        mutants: &["replace | with ^"],
        reason: NO_COMMON_BIT,
    },
    Survivor {
        file: "src/percpu/mod.rs",
        source: "if n > MOST_HERE || !self.add_here(n as isize) {",
        mutants: &["replace > with >="],
        reason: "only a step of MOST_HERE changes: it goes to the word instead of the counter, and the total \
                 count is the same",
    },
];

#[test]
fn each_place_of_a_survivor_occurs_once() {
    for Survivor { file, source, reason, .. } in SURVIVORS {
        let occurrences = read(file).matches(source).count();
        assert_eq!(
            occurrences, 1,
            "{file}: `{source}` is to occur once: mend it in tests/mutants/survivors.rs if this is \
             still true: {reason}. Otherwise take it out, and run `make mutants`"
        );
    }
}

/// `make mutants` runs this test with the list of the mutants that no test has found. Without the list there
/// is nothing to compare.
#[test]
fn the_survivors_are_those_of_the_table() {
    let Ok(list) = env::var("KREF_MISSED_MUTANTS") else { return };
    let missed: Vec<Missed> =
        fs::read_to_string(&list).expect(&list).lines().map(Missed::parse).collect();
    let mut wrong = Vec::new();
    for Missed { file, at, mutant, .. } in
        missed.iter().filter(|missed| !SURVIVORS.iter().any(|survivor| survivor.has(missed)))
    {
        wrong.push(format!(
            "{file}:{}:{}: no test finds `{mutant}`. Write a test that does; or, if no test can, name \
             the mutant in tests/mutants/survivors.rs with the reason",
            at.0, at.1
        ));
    }
    for survivor in SURVIVORS {
        for mutant in survivor.mutants {
            let survives = |missed: &Missed| survivor.has(missed) && missed.mutant == *mutant;
            if !missed.iter().any(survives) {
                wrong.push(format!(
                    "{}: a test finds `{mutant}` in `{}`, or there is no such mutant. Take it out of \
                     tests/mutants/survivors.rs",
                    survivor.file, survivor.source
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Survivor {
    fn has(&self, missed: &Missed) -> bool {
        let text = read(self.file);
        let begin = text.find(self.source).expect("it occurs once");
        let place = position(&text, begin)..position(&text, begin + self.source.len());
        missed.file == self.file
            && place.contains(&missed.at)
            && self.mutants.contains(&missed.mutant.as_str())
    }
}

/// The line and the column of the character at `offset`, as cargo-mutants counts them.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let lines: Vec<&str> = text[..offset].split('\n').collect();
    (lines.len(), lines[lines.len() - 1].chars().count() + 1)
}

/// A line of cargo-mutants: `FILE:LINE:COLUMN: MUTANT in FUNCTION`.
struct Missed {
    file: String,
    at: (usize, usize),
    mutant: String,
}

impl Missed {
    fn parse(line: &str) -> Self {
        let parts: Vec<&str> = line.splitn(4, ':').collect();
        let [file, row, column, name] = parts[..] else { panic!("not a mutant: {line}") };
        let mutant = name.rsplit_once(" in ").map_or(name, |(mutant, _function)| mutant);
        Self {
            file: file.into(),
            at: (row.parse().expect(line), column.parse().expect(line)),
            mutant: mutant.trim().into(),
        }
    }
}

//! The nanoseconds of all lookups in two tables of Markdown: docs/costs.md has them as they are printed.

use kref_bench::Threads::{OnEachCore, One};
use kref_bench::{Rows, Threads};

use crate::tables::{AT_HAND, CALLED, PEERS, POOL, RUST, TYPED};
use crate::{MIXES, Part, SIZES};

/// Prints a table for one thread and one for a thread on each core.
pub fn print(lookups: &[Part]) {
    for threads in [One, OnEachCore] {
        let sizes: Vec<_> =
            SIZES.iter().map(|(_, size)| format!("{size} {}", "| ".repeat(2))).collect();
        println!("| ns, {threads} | {}|", sizes.join("| "));
        println!("|{}", "---|".repeat(1 + lookups.len()));
        let mixes: Vec<_> = MIXES.iter().map(|&(_, mix)| mix).collect();
        println!("| | {} |", vec![mixes.join(" | "); SIZES.len()].join(" | "));
        for name in [&[AT_HAND, POOL, TYPED, CALLED, RUST][..], &PEERS].concat() {
            let cells: Vec<_> =
                lookups.iter().map(|part| cell(&part.rows, name, threads)).collect();
            println!("| {name} | {} |", cells.join(" | "));
        }
        println!();
    }
}

/// The nanoseconds, with three digits. Empty where nothing was measured.
fn cell(rows: &Rows, name: &str, threads: Threads) -> String {
    if !rows.has(name) {
        return String::new();
    }
    match rows.nanoseconds((name, threads)).median {
        few if few < 9.995 => format!("{few:.2}"),
        some if some < 99.95 => format!("{some:.1}"),
        many => format!("{many:.0}"),
    }
}

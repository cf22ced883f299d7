//! Rows as text.

use std::fmt::Write;

use crate::rows::{Rows, Threads};

/// The rows of these names: nanoseconds, and the ratio to the first row. A row that was not measured
/// is left out.
pub fn table(title: &str, names: &[&str], rows: &Rows) -> String {
    let [one, each] = [Threads::One, Threads::OnEachCore];
    let mut text = format!("{title:37}{one:>32}{each:>32}\n{:37}", "");
    for _ in [Threads::One, Threads::OnEachCore] {
        let _ = write!(text, "{:>8}{:>9}{:>15}", "ns", "ratio", "95 %");
    }
    let _ = writeln!(text, "{:>8}", "x one");
    for name in names.iter().filter(|name| rows.has(name)) {
        let _ = write!(text, "{name:37}");
        for threads in [Threads::One, Threads::OnEachCore] {
            let nanoseconds = rows.nanoseconds((name, threads)).median;
            let ratio = rows.ratio((name, threads), (names[0], threads));
            let _ = write!(text, "{nanoseconds:8.2}{:9.3}", ratio.median);
            let interval = if *name == names[0] { String::new() } else { ratio.to_string() };
            let _ = write!(text, "{interval:>15}");
        }
        let slowdown = rows.ratio((name, Threads::OnEachCore), (name, Threads::One));
        let _ = writeln!(text, "{:8.2}", slowdown.median);
    }
    text
}

//! `--live`: what a running program holds, by type and holder, and how fast that changes. What grows comes first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::leaks;
use crate::process::Process;
use crate::text;
use crate::world::World;

/// A look at a program comes so often, and takes at most a tenth of the time.
const EVERY: Duration = Duration::from_secs(1);
const SHARE: u32 = 10;
/// Rows that are shown where there is no terminal.
const ROWS: usize = 20;

/// A type and a holder.
type Of = (String, Option<&'static str>);

/// What is known of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Row {
    held: u64,
    gets: u64,
    puts: u64,
}

/// The last look at a process.
#[derive(Default)]
pub struct Live {
    before: BTreeMap<Of, Row>,
    looked: Option<Instant>,
    took: Duration,
}

impl Live {
    /// Whether it is time for the next look.
    pub fn is_due(&self) -> bool {
        let pause = EVERY.max(self.took * SHARE);
        self.looked.is_none_or(|looked| looked.elapsed() >= pause)
    }

    /// A look at a process: a line, and a row for each type and holder.
    pub fn look(&mut self, world: &World, process: &Process) -> String {
        world.rates.begin();
        let (begun, leaks) = (Instant::now(), leaks::gather(world, process));
        let mut now: BTreeMap<Of, Row> = BTreeMap::new();
        for of in &leaks.types {
            for held in &of.held {
                now.entry((of.name.clone(), held.holder)).or_default().held += held.count;
            }
        }
        for (key, holder, (gets, puts)) in world.rates.of(process.number) {
            let of = (leaks::name(world, key), world.code.names.get(holder));
            let row = now.entry(of).or_default();
            (row.gets, row.puts) = (row.gets + gets, row.puts + puts);
        }
        let passed = self.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
        let mut out = format!(
            "kref-track: process {}: {} on {}\n",
            process.pid,
            text::number(leaks.references, "reference"),
            text::number(leaks.objects, "object"),
        );
        rows(&mut out, &now, &self.before, passed);
        (self.before, self.looked) = (now, Some(Instant::now()));
        self.took = begun.elapsed();
        out
    }
}

/// The rows, those first whose held references grow most.
fn rows(out: &mut String, now: &BTreeMap<Of, Row>, before: &BTreeMap<Of, Row>, passed: Duration) {
    let mut rows: Vec<_> = now
        .iter()
        .map(|(of, row)| {
            let before = before.get(of).copied().unwrap_or_default();
            (of, *row, before, row.held as i64 - before.held as i64)
        })
        .collect();
    rows.sort_by_key(|&(of, row, _, growth)| (Reverse(growth), Reverse(row.held), of.clone()));
    let _ = writeln!(out, "    growth/s       held     gets/s     puts/s");
    let seconds = passed.as_secs_f64();
    // At the first look nothing is known of the time before.
    let rate = |count: f64| if seconds > 0.0 { (count / seconds).round() } else { 0.0 };
    for (of, row, before, growth) in rows {
        let (gets, puts) =
            (row.gets.saturating_sub(before.gets), row.puts.saturating_sub(before.puts));
        let holder = of.1.map(|name| format!(", \"{name}\"")).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {:>+10} {:>10} {:>10} {:>10}  {}{holder}",
            rate(growth as f64),
            row.held,
            rate(gets as f64),
            rate(puts as f64),
            of.0
        );
    }
}

/// What is shown of a look: on a terminal, which is cleared, as much as there is room for.
pub fn shown(look: &str, terminal: i32) -> String {
    let size = size_of_terminal(terminal);
    let (rows, columns) = size.unwrap_or((ROWS, usize::MAX));
    let mut out = String::from(if size.is_some() { "\x1b[H\x1b[2J" } else { "" });
    for line in look.lines().take(rows.saturating_sub(1).max(1)) {
        out.extend(line.chars().take(columns));
        out.push('\n');
    }
    out
}

/// The rows and columns of a descriptor that is a terminal.
fn size_of_terminal(fd: i32) -> Option<(usize, usize)> {
    // SAFETY: `size` is ours to fill, and may be zero.
    let (failed, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(fd, libc::TIOCGWINSZ, &mut size) != 0, size)
    };
    let or = |value: u16, usual: usize| if value == 0 { usual } else { value.into() };
    (!failed).then(|| (or(size.ws_row, 24), or(size.ws_col, 80)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::{Row, rows, shown};

    #[test]
    fn what_grows_comes_first() {
        let of = |name: &str, row| ((name.to_string(), Some("cache")), row);
        let row = |held, gets, puts| Row { held, gets, puts };
        let before = BTreeMap::from([of("even", row(500, 9, 9)), of("less", row(9, 0, 0))]);
        let now =
            [of("even", row(500, 19, 19)), of("less", row(5, 0, 4)), of("more", row(8, 8, 0))];
        let mut out = String::new();
        rows(&mut out, &now.into(), &before, Duration::from_secs(2));
        let words: Vec<Vec<_>> =
            out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["+4", "8", "4", "0", "more,", "\"cache\""]);
        assert_eq!(words[1], ["+0", "500", "5", "5", "even,", "\"cache\""]);
        assert_eq!(words[2], ["-2", "5", "0", "2", "less,", "\"cache\""]);
    }

    #[test]
    fn a_file_gets_lines() {
        let look = "line\n".repeat(100);
        assert_eq!(shown(&look, -1), "line\n".repeat(19));
    }
}

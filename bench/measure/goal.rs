//! Goals, and whether the measured ratios reach them.

use crate::rows::{Figure, Rows, Threads};
use crate::statistics::Estimate;

/// The most that an operation may take, as a multiple of another.
pub struct Goal {
    most: f64,
    own: Figure<'static>,
    others: (&'static [&'static str], Threads),
}

impl Goal {
    /// `own` takes at most `most` times as long as the fastest of `others`.
    pub const fn new(
        most: f64,
        own: Figure<'static>,
        others: (&'static [&'static str], Threads),
    ) -> Self {
        Self { most, own, others }
    }

    /// A line with the verdict, the ratio and its interval.
    pub fn judge(&self, rows: &Rows) -> String {
        let (names, threads) = self.others;
        let measured = names.iter().filter(|name| rows.has(name)).map(|&name| (name, threads));
        let nanoseconds = |&figure: &Figure| rows.nanoseconds(figure).median;
        let fastest = measured.min_by(|a, b| nanoseconds(a).total_cmp(&nanoseconds(b)));
        let fastest = fastest.expect("at least one of the others is always measured");
        let ratio = rows.ratio(self.own, fastest);
        let (verdict, most, median) = (verdict(self.most, ratio), self.most, ratio.median);
        let interval = format!("({ratio})");
        format!("{verdict:10}{most:.2}:{median:7.3} {interval:15}{}", compare(self.own, fastest))
    }
}

/// Whether a figure is at most `most`. Where the limit is inside the interval, the run does not show
/// on which side of the limit the figure is.
pub fn verdict(most: f64, figure: Estimate) -> &'static str {
    if figure.high <= most {
        "within"
    } else if figure.low > most {
        "ABOVE"
    } else {
        "not shown"
    }
}

/// The two figures in words.
fn compare((own, own_threads): Figure, (other, threads): Figure) -> String {
    match own_threads == threads {
        true => format!("{own} / {other}, {threads}"),
        false => format!("{own}, {own_threads} / {other}, {threads}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_below_above_or_inside_the_interval() {
        let figure = Estimate { low: 1.0, median: 1.1, high: 1.2 };
        assert_eq!(verdict(1.2, figure), "within");
        assert_eq!(verdict(0.9, figure), "ABOVE");
        assert_eq!(verdict(1.15, figure), "not shown");
        assert_eq!(verdict(1.0, figure), "not shown");
    }

    #[test]
    fn a_run_without_an_interval_shows_nothing() {
        assert_eq!(verdict(9.9, Estimate::of(vec![1.0])), "not shown");
    }
}

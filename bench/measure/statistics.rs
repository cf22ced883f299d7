//! Medians, and how sure they are.

use std::fmt;

/// A median, and an interval in which the true median lies with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The interval's lower end; minus infinity where there are too few numbers for an interval.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The interval's upper end; infinity where there are too few numbers for an interval.
    pub high: f64,
}

/// The most that may lie on each side of the interval: half of 5 %.
const TAIL: f64 = 0.025;

impl Estimate {
    /// Estimates the median of what was measured, from numbers in the order of their measurement.
    ///
    /// The shape of the distribution does not matter: a number is below the true median with
    /// probability one half, so the number of those below is binomial, and the binomial distribution
    /// gives the ranks of the interval's ends. This holds for independent numbers. Correlated numbers
    /// count as fewer independent ones. Where these are too few for 95 %, the interval is the range
    /// of all numbers.
    pub fn of(mut numbers: Vec<f64>) -> Self {
        let (count, effective) = (numbers.len(), effective_size(&numbers));
        numbers.sort_by(f64::total_cmp);
        let outside = match (rank(count), rank(effective)) {
            (0, _) => None,
            (_, 0) => Some(1),
            // The share of the numbers outside is what it would be for independent ones.
            (_, rank) => Some(rank * count / effective),
        };
        let ends = outside.map(|rank| (numbers[rank - 1], numbers[count - rank]));
        let (low, high) = ends.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        Self { low, median: median(numbers), high }
    }
}

/// The effective sample size, n (1 - r) / (1 + r), where r is the correlation of each number with the
/// next one. Numbers are correlated where the machine keeps a changed pace for longer than a pass.
fn effective_size(numbers: &[f64]) -> usize {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let product = |a: f64, b: f64| (a - mean) * (b - mean);
    let variance: f64 = numbers.iter().map(|&number| product(number, number)).sum();
    let covariance: f64 = numbers.windows(2).map(|pair| product(pair[0], pair[1])).sum();
    let correlation = if variance > 0.0 { (covariance / variance).max(0.0) } else { 0.0 };
    (numbers.len() as f64 * (1.0 - correlation) / (1.0 + correlation)) as usize
}

/// The rank, from either end, of the interval's ends among `count` sorted numbers: the largest rank
/// for which both tails have a probability of at most [`TAIL`]. 0 if there is none.
fn rank(count: usize) -> usize {
    let mut probability = 0.5_f64.powi(count as i32);
    let mut tail = probability;
    let mut rank = 0;
    while tail <= TAIL {
        rank += 1;
        probability *= (count + 1 - rank) as f64 / rank as f64;
        tail += probability;
    }
    rank
}

/// The middle number, or the upper one of the two in the middle; not a number if there is none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Estimate {
    /// The interval, or a dash if there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low.is_finite() {
            true => f.pad(&format!("{:.3}-{:.3}", self.low, self.high)),
            false => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks that printed tables give for a median's interval of 95 %.
    #[test]
    fn ranks_are_the_tables() {
        assert_eq!([5, 6, 9, 20, 31].map(rank), [0, 1, 2, 6, 10]);
    }

    fn interval(numbers: Vec<f64>) -> [f64; 2] {
        let Estimate { low, high, .. } = Estimate::of(numbers);
        [low, high]
    }

    #[test]
    fn independent_numbers_have_the_interval_of_their_ranks() {
        // Each number is followed by one from the other half, so none resembles the next one.
        let numbers = (0..31).map(|at| f64::from(at * 15 % 31 + 1)).collect();
        assert_eq!(interval(numbers), [10.0, 22.0]);
    }

    /// Each number resembles the next one, so that the effective sample size is small.
    #[test]
    fn numbers_that_only_rise_have_their_range_as_interval() {
        assert_eq!(interval((1..=31).map(f64::from).collect()), [1.0, 31.0]);
    }

    #[test]
    fn five_numbers_have_no_interval() {
        let numbers = (1..=5).map(f64::from).collect();
        assert_eq!(interval(numbers), [f64::NEG_INFINITY, f64::INFINITY]);
    }
}

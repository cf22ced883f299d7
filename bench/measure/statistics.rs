//! Medians, and how sure they are.

use std::fmt;

/// A median, and the interval in which the true median lies with a confidence of at least 95 %.
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
    /// Estimates the median of the distribution that `numbers` were drawn from, independently of
    /// each other. The shape of the distribution does not matter: each number is below the true
    /// median with probability one half, so the number of those below is binomial.
    pub fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let [low, high] = match outside(numbers.len()) {
            0 => [f64::NEG_INFINITY, f64::INFINITY],
            rank => [numbers[rank - 1], numbers[numbers.len() - rank]],
        };
        Self { low, median: median(numbers), high }
    }
}

/// The rank, counted from either end, of the interval's ends among `count` sorted numbers: the
/// largest at which the tail still has a probability of at most [`TAIL`]. 0 if there is none.
fn outside(count: usize) -> usize {
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

    fn interval_of_numbers_up_to(count: i32) -> [f64; 2] {
        let Estimate { low, high, .. } = Estimate::of((1..=count).rev().map(f64::from).collect());
        [low, high]
    }

    /// The ranks that printed tables give for a median's interval of 95 %.
    #[test]
    fn ranks_are_the_tables() {
        assert_eq!(interval_of_numbers_up_to(6), [1.0, 6.0]);
        assert_eq!(interval_of_numbers_up_to(9), [2.0, 8.0]);
        assert_eq!(interval_of_numbers_up_to(20), [6.0, 15.0]);
        assert_eq!(interval_of_numbers_up_to(31), [10.0, 22.0]);
    }

    #[test]
    fn five_numbers_are_too_few() {
        assert_eq!(interval_of_numbers_up_to(5), [f64::NEG_INFINITY, f64::INFINITY]);
    }
}

//! How much is measured.

/// How thorough a run is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// For the README's figures.
    Full,
    /// `KREF_BENCH=quick`: a thirtieth of the rounds, for those who work on the benchmarks.
    Quick,
    /// One round, for `cargo test --benches`, which only asks whether the benchmarks run.
    Once,
}

impl Pace {
    /// The pace of this program's run: cargo passes `--bench` where it shall measure.
    pub fn asked_for() -> Self {
        let measures = std::env::args().any(|argument| argument == "--bench");
        match std::env::var_os("KREF_BENCH") {
            _ if !measures => Self::Once,
            Some(pace) if pace == "quick" => Self::Quick,
            _ => Self::Full,
        }
    }

    /// The number of passes. A median has an interval from six independent passes on.
    pub fn passes(self) -> usize {
        match self {
            Self::Full => 31,
            Self::Quick => 12,
            Self::Once => 1,
        }
    }

    /// The number of rounds, where a full run has `full`.
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => (full / 12).max(1),
            Self::Once => 1,
        }
    }
}

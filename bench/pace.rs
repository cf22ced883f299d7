//! How much is measured: `KREF_BENCH=quick` is for whoever is at work on the benchmarks.

/// How thorough this run is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// What the README's figures are from.
    Full,
    /// A twentieth of the rounds, and criterion's part left out.
    Quick,
    /// Everything once: `cargo test --benches` wants to know whether it runs.
    Once,
}

impl Pace {
    pub fn asked_for() -> Self {
        let is_bench = std::env::args().any(|argument| argument == "--bench");
        match std::env::var_os("KREF_BENCH") {
            _ if !is_bench => Self::Once,
            Some(pace) if pace == "quick" => Self::Quick,
            _ => Self::Full,
        }
    }

    /// So many rounds of them.
    pub fn of(self, rounds: usize) -> usize {
        match self {
            Self::Full => rounds,
            Self::Quick => (rounds / 20).max(5),
            Self::Once => 1,
        }
    }
}

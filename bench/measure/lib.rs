//! How the benchmarks measure: turns, rounds, passes, ratios with their intervals, and goals.
//!
//! costs/main.rs says which figures come from here and which from criterion.
//!
//! - A *turn*: one contender does its operation for half a millisecond, by one thread or by a thread
//!   on each core.
//! - A *round*: every contender has one turn alone and one turn on each core. What slows the machine
//!   down slows neighbouring turns down alike, so a ratio is taken inside a round.
//! - A *pass*: a few seconds of rounds. Rounds that follow each other share their disturbances, so a
//!   pass gives one number: the median of its rounds.
//! - A *figure*: the median of the passes and its interval. statistics.rs says how the interval takes
//!   into account that a pass resembles the next one.

mod c;
mod contender;
mod goal;
mod pace;
mod process;
mod rows;
mod statistics;
mod table;
mod threads;

pub use c::{Loops, compile, compiler, has_header, package_flags};
pub use contender::Contender;
pub use goal::{Goal, verdict};
pub use pace::Pace;
pub use process::{Awake, prepare_the_process, resident};
pub use rows::{Figure, Rows, Threads};
pub use statistics::{Estimate, median};
pub use table::table;
pub use threads::{cores, preemptions, stay_on};

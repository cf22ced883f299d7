//! The zones of the number line: what a stored value means. mod.rs has the picture.

use super::tracked;
use crate::tracker;

/// The most references that every operation can count. [`inc`](super::Count::inc) can count one more.
pub const MAX: i32 = i32::MAX;

/// What [`read`](super::Count::read) returns for a saturated count, and for one that was let go.
pub const SATURATED: i32 = i32::MIN / 2;

/// The stored value of a dead count: the last put leaves this value.
pub(super) const DEAD: i32 = i32::MAX;

/// The stored value of a saturated count. It is far from all other zones.
pub(super) const SATURATED_AT: i32 = 0x6000_0000;

/// More than the threads of one Linux system together can add or subtract before they reach the cold
/// path.
const DRIFT: i32 = 1 << 22;

/// The stored value of a dead count whose memory was given to `free()`. The tracker keeps such memory for a while, and
/// writes this value into the count. It is in the dead zone, so every operation finds a dead count, as with [`DEAD`].
/// Only `get_unless_zero` tells both apart: it may find a dead count in memory that a lock or a pool keeps, but here
/// nothing kept the memory, and that is a violation. The distance from [`DEAD`] is more than all gets and puts in flight
/// add or subtract, so they do not turn one value into the other.
pub(super) const FREED_AT: i32 = DEAD - DRIFT / 2;

/// The zones of the number line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Zone {
    Alive,
    NeverInitialised,
    Tracked,
    /// The tracker was told that it is tracked no more: a saturated count whose gets and puts are no violations.
    LetGo,
    Saturated,
    Dead,
}

/// The zone of a stored value. No count is tracked until a tracker is set, so a value of the tracked zone
/// is saturated until then.
pub(super) fn zone(s: i32) -> Zone {
    if s < 0 {
        Zone::Alive
    } else if tracked::is_tracked(s) {
        Zone::Tracked
    } else if s < DRIFT {
        Zone::NeverInitialised
    } else if tracked::is_let_go(s) && tracker::was_set() {
        Zone::LetGo
    } else if s > DEAD - DRIFT {
        Zone::Dead
    } else {
        Zone::Saturated
    }
}

/// The stored value of a count of `n` references.
pub(super) const fn stored(n: i32) -> i32 {
    if n < 0 { SATURATED_AT } else { n.wrapping_sub(1) ^ i32::MIN }
}

/// What [`read`](super::Count::read) and C's `kref_read` return for a stored value. For 2^31 references
/// they return [`MAX`], because an `i32` has no larger number.
pub(super) fn references(s: i32) -> i32 {
    match zone(s) {
        Zone::Alive if s == -1 => MAX,
        Zone::Alive => (s ^ i32::MIN) + 1,
        Zone::Tracked => tracked::references(s),
        Zone::LetGo | Zone::Saturated => SATURATED,
        Zone::NeverInitialised | Zone::Dead => 0,
    }
}

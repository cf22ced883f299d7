//! What a stored value means. The folder's first page has the picture.

use super::tracked;
use crate::kind::Violation;
use crate::tracker;

/// The largest count. One more reference saturates, or at the latest the second one.
pub const MAX: i32 = i32::MAX;

/// What a saturated count reads as: `i32::MIN / 2`.
pub const SATURATED: i32 = i32::MIN / 2;

/// The stored value of a dead count: the last put leaves it there.
pub(super) const DEAD: i32 = i32::MAX;

/// The stored value of a saturated count, far from all other zones.
pub(super) const SATURATED_AT: i32 = 0x6000_0000;

/// More than all threads of a Linux can add or subtract before they reach the cold path.
const DRIFT: i32 = 1 << 22;

/// The zones of the number line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Zone {
    Alive,
    NeverInitialised,
    Tracked,
    Saturated,
    Dead,
}

/// The zone of a stored value. The tracked zone is empty until a tracker is set: a value there is no count.
pub(super) fn zone(s: i32) -> Zone {
    if s < 0 {
        Zone::Alive
    } else if s < DRIFT {
        Zone::NeverInitialised
    } else if tracked::is_in_zone(s) && tracker::was_set() {
        Zone::Tracked
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

/// The number of references that a stored value stands for, as a C program reads it. 2^31 references
/// read as [`MAX`], the most that is promised.
pub(super) fn references(s: i32) -> i32 {
    match zone(s) {
        Zone::Alive if s == -1 => MAX,
        Zone::Alive => (s ^ i32::MIN) + 1,
        Zone::Tracked => tracked::references(s),
        Zone::Saturated => SATURATED,
        Zone::NeverInitialised | Zone::Dead => 0,
    }
}

/// What a get did wrong that found `s` and could not count on from there.
pub(super) fn misuse_of_get(s: i32) -> Violation {
    match zone(s) {
        Zone::Dead => Violation::GetOnZero,
        Zone::NeverInitialised => Violation::NeverInitialised,
        Zone::Alive | Zone::Tracked => Violation::Overflow,
        Zone::Saturated => Violation::Saturated,
    }
}

/// [`misuse_of_get`] for an increment, whose cold path may find that other threads' increments have
/// carried the value on: from -1, where a count is full, or from "dead", past which lies INT_MIN.
pub(super) fn misuse_of_increment(s: i32) -> Violation {
    const MIDDLE: i32 = i32::MIN / 2;
    if s < MIDDLE { Violation::GetOnZero } else { misuse_of_get(s) }
}

/// What a put did wrong that found `s`, with fewer references than it was to give back.
pub(super) fn misuse_of_put(s: i32) -> Violation {
    match zone(s) {
        Zone::Dead | Zone::Alive | Zone::Tracked => Violation::PutOnZero,
        Zone::NeverInitialised => Violation::NeverInitialised,
        Zone::Saturated => Violation::Saturated,
    }
}

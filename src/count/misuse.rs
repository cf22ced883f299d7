//! Misuse of a count: which violation an operation reports. The answer depends on the stored value that the
//! operation found.
//!
//! A put on a count of zero, for example, is decided in [`misuse_of_put`]. The cold path calls these
//! functions, and [`report`](crate::report) tells the program.

use super::Count;
use super::number_line::{SATURATED_AT, Zone, zone};
use crate::kind::ViolationKind;
use crate::sys::sync::Ordering::Release;

/// The violation of a get that found the stored value `s` and could not add a reference to it.
pub(super) fn misuse_of_get(s: i32) -> ViolationKind {
    match zone(s) {
        Zone::Dead => ViolationKind::GetOnZero,
        Zone::NeverInitialised => ViolationKind::NeverInitialised,
        Zone::Alive | Zone::Tracked => ViolationKind::Overflow,
        Zone::LetGo | Zone::Saturated => ViolationKind::Saturated,
    }
}

/// [`misuse_of_get`] for an increment that was made already. Other threads may have incremented a dead
/// count too, and then its value has gone from INT_MAX to INT_MIN and further. So a value in the lower
/// half of the negative numbers means that the count was dead.
pub(super) fn misuse_of_increment(s: i32) -> ViolationKind {
    const MIDDLE: i32 = i32::MIN / 2;
    if s < MIDDLE { ViolationKind::GetOnZero } else { misuse_of_get(s) }
}

/// The violation of a put. `s` is the stored value before the put, which has fewer references than the put
/// gives back.
pub(super) fn misuse_of_put(s: i32) -> ViolationKind {
    match zone(s) {
        Zone::Dead | Zone::Alive | Zone::Tracked => ViolationKind::PutOnZero,
        Zone::NeverInitialised => ViolationKind::NeverInitialised,
        Zone::LetGo | Zone::Saturated => ViolationKind::Saturated,
    }
}

impl Count {
    /// Saturates the count, before the caller reports the violation.
    pub(super) fn saturate(&self, kind: ViolationKind) -> ViolationKind {
        self.saturate_at(SATURATED_AT);
        kind
    }

    /// Stores a value that lasts. Release, as in `publish`: a lookup in a pool may take a reference on the saturated
    /// count by a stale handle. Then the lookup must see that the generation was raised.
    pub(super) fn saturate_at(&self, value: i32) {
        self.stored.store(value, Release);
    }
}

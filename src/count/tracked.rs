//! The arithmetic of tracked counts.
//!
//! # The zone
//!
//! The stored value of a tracked count is positive. So every get and put of it takes the cold path, where
//! the tracker is called. Gets and puts in code that was compiled long before do so too. `kref_init`
//! initialises a tracked count if a tracker is set and wants to track the object.
//!
//! A tracked count of `n` references is stored as `ZERO + e`:
//!
//! ```text
//!  e = n * ONE + t         n: the references that the cold path has counted
//!                          t: +1 for each thread that has incremented the value in the hot path, and
//!                             -1 for each thread that has decremented it in the hot path, if the
//!                             thread has not reached the cold path yet
//! ```
//!
//! Such a thread is *in flight*. Example: with 3 references, one get and no put in flight,
//! `e = 3 * 64 + 1`.
//!
//! Every change is an addition, so `e` is exact however many threads are in flight. Three decisions
//! depend on `e`. In a correct program
//!
//! * each of the `p` threads whose put is in flight still holds a reference that `n` counts, so `p <= n`;
//! * each thread whose get is in flight holds or borrows a reference that `n` counts, or is one of `s`
//!   readers of a slot. A slot's reader holds nothing that `n` counts until the cold path counts its get.
//!
//! **Is this put the last?** The cold path has taken back this put's own -1, so `p <= n - 1`, and
//! `e = 64n + t >= 64n - (n - 1)`. Therefore `e = 64` only for `n = 1`, `p = 0` and `t = 0`: no other
//! thread is in flight, because a get needs a reference and there is no other reference. If `n = 1` and
//! `t = s > 0`, readers of a slot are in flight. Then the put leaves `n = 0` and `e = s`, and the object
//! belongs to the readers, whose gets the cold path counts next.
//!
//! **Is the count alive?** `e >= 64n - n + s`. So `e > 0` as long as somebody holds a reference, or a
//! slot's reader is in flight. The last put stores "dead" in one step, so `e = 0` never occurs.
//!
//! **Does the value stay in the zone?** It does at the lower end, because `e > 0`. At the upper end the
//! cold path lets go of a count that gets more than [`MOST`] references, and from there to the end of the
//! zone 12,000,000 threads would have to be in flight.
//!
//! # A count that is let go
//!
//! The program may be right, so that is no violation. But the count cannot become a plain one: `e` does not say
//! how many of 32 or more threads in flight it contains, and a count that is too small by one frees the
//! object while somebody holds a reference. So the count saturates for good, in a zone of its own, whose gets
//! and puts report nothing, and the object is never released.
//!
//! In a wrong program, which puts twice or gets without holding a reference, each of these may fail.
//! Then the same happens as to a count that is not tracked: the count saturates where the misuse can be
//! seen.
//!
//! The tracker receives `n`, which is `e` divided by 64 and rounded. The result is wrong by one if 32
//! threads or more are in flight in one direction. Therefore the cold path first takes back the
//! thread's own increment or decrement, so that a thread is not in flight while the tracker works or
//! sleeps. A slot's reader cannot take its increment back first, because only the increment keeps the
//! object alive.

use super::number_line::{self, DEAD, Zone, stored, zone};
use crate::tracker;

/// The first value of the zone, and the first value after the zone.
const BEGIN: i32 = 0x2000_0000;
const END: i32 = 0x3000_0000;

/// What one reference adds to the stored value.
const ONE: i32 = 64;

/// The stored value for `e = 0`. It is in the middle between two multiples of `ONE`, so that a division
/// rounds `e` to the nearest number of references.
const ZERO: i32 = BEGIN + ONE / 2;

/// The most references that a tracked count can have.
const MOST: i32 = 4_000_000;

/// The stored value of a count that was let go. It is in the middle of its zone, which begins at `END`: what
/// threads in flight have added is stored away with the next operation.
pub(super) const LET_GO_AT: i32 = 0x4000_0000;
const LET_GO_END: i32 = 0x5000_0000;

/// Whether this is the stored value of a count that was let go, provided that a tracker was ever set.
pub(super) const fn is_let_go(s: i32) -> bool {
    END <= s && s < LET_GO_END
}

/// The stored value of a tracked count of `n` references.
pub(super) const fn of(n: i32) -> i32 {
    ZERO + n * ONE
}

/// Whether this is the stored value of a tracked count, provided that a tracker was ever set.
pub(super) const fn is_in_zone(s: i32) -> bool {
    ZERO < s && s < END
}

/// Whether this is the stored value of a tracked count. Inlined: a get or put of a tracked count asks often.
#[inline(always)]
pub(super) fn is_tracked(s: i32) -> bool {
    is_in_zone(s) && tracker::was_set()
}

/// The number of references of a tracked count. If `n` is 0, a slot's reader is in flight, whose
/// reference counts as 1 here.
pub(super) fn references(s: i32) -> i32 {
    let n = (s - BEGIN) / ONE;
    if n > 0 { n } else { 1 }
}

/// The stored value after `n` more references were taken. `None` if the count is dead, saturated or was never
/// initialised, if it cannot have so many references, or if `n` is negative.
pub(super) fn more(s: i32, n: i32) -> Option<i32> {
    let (most, one, references) = match zone(s) {
        Zone::Alive => (super::MAX, 1, number_line::references(s)),
        Zone::Tracked => (MOST, ONE, references(s)),
        Zone::LetGo if n >= 0 => return Some(LET_GO_AT),
        _ => return None,
    };
    match n {
        _ if n < 0 || n > super::MAX - references => None,
        _ if n > most - references => Some(LET_GO_AT),
        _ => Some(s + n * one),
    }
}

/// The result of subtracting references from a stored value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Less {
    /// References are left. This is the new stored value.
    To(i32),
    /// No references are left. The new stored value is [`DEAD`], whether or not the count was tracked.
    Last,
    /// The count has fewer references than that.
    TooFew,
}

/// Subtracts `n` references from a stored value.
pub(super) fn less(s: i32, n: i32) -> Less {
    match zone(s) {
        _ if n < 0 => Less::TooFew,
        Zone::Alive if n == 0 => Less::To(s),
        // The number of references that would be left is `s - stored(n)`.
        Zone::Alive if s > stored(n) => Less::To(s - n),
        Zone::Alive if s == stored(n) => Less::Last,
        Zone::LetGo => Less::To(LET_GO_AT),
        Zone::Tracked if n > references(s) => Less::TooFew,
        // If `n` is the number of references and the value is greater than `of(n)`, a slot's reader is in
        // flight, and the object is the reader's.
        Zone::Tracked if s <= of(n) => Less::Last,
        Zone::Tracked => Less::To(s - n * ONE),
        _ => Less::TooFew,
    }
}

/// The stored value without the 1 or -1 that a thread in flight has added. `None` if the count is not
/// tracked any more: its new value does not contain what the thread has added.
pub(super) fn without(s: i32, added: i32) -> Option<i32> {
    if is_tracked(s) { Some(s - added) } else { None }
}

const _: () = assert!(DEAD > END && of(MOST) < END);

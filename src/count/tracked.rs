//! The arithmetic of tracked counts.
//!
//! # The zone
//!
//! A tracked count is positive, so every get and put of it, inlined or not, takes the cold path: the
//! tracker hears of all of them, also in code that was compiled before anybody thought of a tracker.
//! `kref_init` begins tracked counts while a tracker is set; without a tracker the zone is empty.
//!
//! A tracked count of `n` references is stored as `ZERO + e`:
//!
//! ```text
//!  e = n * ONE + t         n: references that the cold path has counted
//!                          t: +1 for each thread that has incremented and not reached the cold path,
//!                             -1 for each thread that has decremented and not reached the cold path
//! ```
//!
//! Every change is an addition, so `e` is exact whatever threads are in between. Three decisions are
//! made on `e` alone. In a correct program
//!
//! * each of the `p` threads between its decrement and the cold path still owns a reference that `n`
//!   counts, so `p <= n`;
//! * each thread between its increment and the cold path owns a reference, or borrows one, or is one of
//!   `s` readers of a slot. A slot's reader owns nothing that `n` counts until the cold path counts it.
//!
//! **The last put.** The cold path has undone the put's own -1, so `p <= n - 1`, and
//! `e = 64n + t >= 64n - (n - 1)`. This is 64 only for `n = 1`, `p = 0` and `t = 0`: no other thread is
//! in between, because a get needs a reference, and the slot has none to lend any more. With `n = 1` and
//! `t = s > 0` a slot's reader is in between. Then the put leaves `e = s` and `n = 0`; the reader counts
//! itself when it reaches the cold path, and holds the object.
//!
//! **Alive.** `e >= 64n - n + s`, so `e > 0` while there is a holder, or a slot's reader in between. The
//! last put stores "dead" in one step, so `e = 0` never occurs.
//!
//! **The zone's ends.** The lower end needs `e > 0` only. At the upper end references beyond [`MOST`]
//! are refused; from there to the end of the zone it would take 12,000,000 threads in between.
//!
//! A wrong program, which puts twice or gets without a reference, may break each of these. It gets what
//! it gets on an untracked count: a violation where misuse is visible.
//!
//! The tracker is told `n`, recovered by rounding: wrong by one while 32 threads or more are in between
//! in one direction. So the cold path first takes back the thread's own increment, and the thread is not
//! in between while the tracker works or sleeps. A slot's reader cannot do so: the increment is all
//! that keeps the object.

use super::number_line::{self, DEAD, Zone, stored, zone};

/// The first value of the zone, and the first value behind it.
const BEGIN: i32 = 0x2000_0000;
const END: i32 = 0x3000_0000;

/// What a reference adds.
const ONE: i32 = 64;

/// No references: the middle of all values that round to none.
const ZERO: i32 = BEGIN + ONE / 2;

/// The most references that a tracked count holds.
const MOST: i32 = 4_000_000;

/// The stored value of a tracked count of `n` references.
pub(super) const fn of(n: i32) -> i32 {
    ZERO + n * ONE
}

/// Whether this is the stored value of a tracked count that is alive, if a tracker was ever set.
pub(super) const fn is_in_zone(s: i32) -> bool {
    ZERO < s && s < END
}

/// The number of references of a tracked count. A count that is alive without references is a slot
/// reader's, who counts itself soon.
pub(super) fn references(s: i32) -> i32 {
    let n = (s - BEGIN) / ONE;
    if n > 0 { n } else { 1 }
}

/// The stored value with `n` references more. `None` if the count is neither alive nor tracked, or
/// the references do not fit.
pub(super) fn more(s: i32, n: i32) -> Option<i32> {
    let (most, one) = match zone(s) {
        Zone::Alive => (super::MAX, 1),
        Zone::Tracked => (MOST, ONE),
        _ => return None,
    };
    if n < 0 || n > most - number_line::references(s) { None } else { Some(s + n * one) }
}

/// The result of taking references away from a stored value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Less {
    /// References are left. The new stored value.
    To(i32),
    /// No references are left: the count is dead, whether or not it was tracked.
    Last,
    /// There are fewer references than were to be taken away.
    TooFew,
}

/// The stored value with `n` references less.
pub(super) fn less(s: i32, n: i32) -> Less {
    match zone(s) {
        _ if n < 0 => Less::TooFew,
        Zone::Alive if n == 0 => Less::To(s),
        // `s - stored(n)` is the number of references that would be left.
        Zone::Alive if s > stored(n) => Less::To(s - n),
        Zone::Alive if s == stored(n) => Less::Last,
        Zone::Tracked if n > references(s) => Less::TooFew,
        // At `n` references with a slot's reader in between, the object is the reader's.
        Zone::Tracked if n == references(s) && n > 0 && s <= of(n) => Less::Last,
        Zone::Tracked => Less::To(s - n * ONE),
        _ => Less::TooFew,
    }
}

/// The stored value without the `added` of a thread in between. `None` if the count is not tracked any
/// more: the addition went with the count.
pub(super) fn without(s: i32, added: i32) -> Option<i32> {
    if zone(s) == Zone::Tracked { Some(s - added) } else { None }
}

const _: () = assert!(DEAD > END && of(MOST) < END);

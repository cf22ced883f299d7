//! Counts that a tracker is told of: the zone on the number line, and what is done in it.
//!
//! # The zone
//!
//! A tracked count is negative, so that every get and put of it, inlined or not, comes to the cold
//! path by the compare that it makes anyway. With `e` for what is beyond [`ZERO`],
//!
//! ```text
//!  e = n * ONE + t         n: references that the cold path has counted
//!                          t: +1 for each thread that has added 1 and not come to the cold path yet,
//!                             -1 for each that has taken 1
//! ```
//!
//! All arithmetic is addition, so `e` is exact however many threads are on their way; what must be
//! shown is that the three decisions can be made on `e` alone. In a right program
//!
//! * whoever is on its way to put, `p` threads, still owns a reference that `n` counts: `p <= n`;
//! * whoever is on its way to get owns one as well, or has one lent for the time, or has raised the
//!   count through a slot (`s` threads): those own nothing that `n` counts, until they are here.
//!
//! **The last put.** Its own -1 is undone, so `p <= n - 1`, and `e = 64n + t >= 64n - (n - 1)`. That
//! is 64 only if `n = 1`, `p = 0` and `t = 0`; then nobody is on the way, for a get needs a reference
//! and a slot has none to lend any more. With `n = 1` and `t = s > 0` a reader of a slot is on its way:
//! the put leaves `e = s`, `n = 0`, and the reader, once it is here, counts itself and is the holder.
//!
//! **Alive.** `e >= 64n - n + s`, more than 0 as long as there is a holder or a reader on its way. The
//! last put goes to plain 0 in one step, so nobody ever finds `e = 0`: dead is 0, as for live counts.
//!
//! **The zone's ends.** `e > 0` is all that the lower end needs. References are refused beyond [`MOST`];
//! from there to the end it takes more threads on their way than Linux has, 2^22.
//!
//! In a wrong program, one that puts twice or gets without a reference, any of this may fail, and what
//! comes of it is what comes of live counts: a violation where it can be seen, at 0, below `n`, or
//! outside of the zone.
//!
//! What a tracker is told as the count is `n`, recovered by rounding. It is off by one while 32
//! threads or more are on their way in one direction. So the cold path first takes back what the
//! caller has added, and has nothing on the way while the tracker does its work, which may be to sleep.
//! A slot's reader cannot, having nothing else to hold the object by.

use super::MAX;

/// The first value of the zone, and the first behind it.
const BEGIN: i32 = 0xa000_0000_u32 as i32;
const END: i32 = 0xb000_0000_u32 as i32;

/// What a reference adds.
const ONE: i32 = 64;

/// No references, in the middle of all that rounds to it.
const ZERO: i32 = BEGIN + ONE / 2;

/// The most references. From here 194304 * 64 threads would have to be on their way to leave the zone.
const MOST: i32 = 4_000_000;

/// The value of a tracked count that stands at `n`.
pub(super) const fn of(n: i32) -> i32 {
    ZERO + n * ONE
}

/// Whether this is the value of a tracked count that is alive.
#[inline(always)]
pub(crate) const fn is_tracked(value: i32) -> bool {
    ZERO < value && value < END
}

/// How many references it counts. Alive with none, it is a slot's reader's, who is on its way.
pub(super) const fn references(value: i32) -> i32 {
    let n = (value - BEGIN) / ONE;
    if n > 0 { n } else { 1 }
}

/// What the count is read as: how many references, if it is tracked.
pub(super) const fn readable(value: i32) -> i32 {
    if is_tracked(value) { references(value) } else { value }
}

/// A count, live or tracked, with `n` references more. `None` if they do not fit.
pub(super) const fn raised(value: i32, n: i32) -> Option<i32> {
    let most = if is_tracked(value) { MOST } else { MAX };
    if n < 0 || readable(value) <= 0 || n > most - readable(value) {
        return None;
    }
    Some(if is_tracked(value) { value + n * ONE } else { value + n })
}

/// A count, live or tracked, with references less.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lowered {
    To(i32),
    /// They were all there were: 0, which is dead, whatever the count was.
    Last,
    /// There are fewer.
    TooFew,
}

pub(super) const fn lowered(value: i32, n: i32) -> Lowered {
    let there = readable(value);
    if n < 0 || there <= 0 || n > there {
        Lowered::TooFew
    } else if is_tracked(value) {
        // At `n` references with somebody on the way, it is that somebody's.
        if n == there && n > 0 && value <= of(n) {
            Lowered::Last
        } else {
            Lowered::To(value - n * ONE)
        }
    } else if n == there {
        Lowered::Last
    } else {
        Lowered::To(value - n)
    }
}

/// Without what a thread has added or taken on its way. Where the count is no longer in the zone, it
/// went with what was there.
pub(super) fn without(value: i32, transient: i32) -> Option<i32> {
    is_tracked(value).then(|| value - transient)
}

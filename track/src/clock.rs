//! Time since the machine started, in milliseconds: an act takes four bytes for it.

/// Milliseconds. They begin again after 49 days.
pub type Time = u32;

/// What a recorder's clock shows as nanoseconds.
pub fn of_nanoseconds(nanoseconds: u64) -> Time {
    (nanoseconds / 1_000_000) as Time
}

/// Now, on the recorder's clock: precise to a few milliseconds.
pub fn now() -> Time {
    of_nanoseconds(read(libc::CLOCK_MONOTONIC_COARSE))
}

/// How long ago something was, in milliseconds.
pub fn age(now: Time, time: Time) -> u32 {
    // A clock that is read on another core may be a tick behind.
    if is_at_most(time, now) { now.wrapping_sub(time) } else { 0 }
}

/// Whether a time is not later than another.
pub fn is_at_most(time: Time, other: Time) -> bool {
    other.wrapping_sub(time) <= u32::MAX / 2
}

/// Nanoseconds, precisely.
pub fn exactly() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to fill.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

//! Time since the machine started, as cheap as it comes.

/// Nanoseconds.
pub type Time = u64;

/// Precise to a few milliseconds.
pub fn now() -> Time {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// Precise, for a chronicle.
pub fn exactly() -> Time {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> Time {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to fill.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

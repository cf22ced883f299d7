//! What the recorder says when the judge that it has started itself is gone: nobody else could say it.

use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::ask;

/// The device and the file of standard error at the start. By now the descriptor may be that of the program's data.
static PLACE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Whether the words are to be said.
static IS_SET_UP: AtomicBool = AtomicBool::new(false);

fn place() -> Option<[u64; 2]> {
    // SAFETY: `stat` is ours to fill, and zeros are a stat.
    unsafe {
        let mut stat: libc::stat = mem::zeroed();
        (libc::fstat(libc::STDERR_FILENO, &mut stat) == 0).then_some([stat.st_dev, stat.st_ino])
    }
}

/// The program has started its judge itself.
pub fn set_up() {
    if let Some(place) = place() {
        PLACE.iter().zip(place).for_each(|(kept, now)| kept.store(now, Relaxed));
        IS_SET_UP.store(true, Relaxed);
    }
}

/// Says them, if standard error is still what it was.
#[cold]
pub fn say() {
    let is_same =
        |now: [u64; 2]| PLACE.iter().zip(now).all(|(kept, now)| kept.load(Relaxed) == now);
    if IS_SET_UP.swap(false, Relaxed) && place().is_some_and(is_same) {
        ask::write(
            libc::STDERR_FILENO,
            b"kref: kref-track has ended; the program goes on untracked, without a report\n",
        );
    }
}

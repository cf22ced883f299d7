//! Where tracked counts are: for free(), which must know at once whether there is one in the memory.
//!
//! Each 16 bytes of memory have a byte of a small table, many of them the same one. The byte says how many counts have
//! begun there and were not freed. So a zero is certain, and any other number is a reason to look at the memory itself:
//! a tracked count is a number that memory without counts rarely has. Who is told in the end, the judge, knows.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The bytes of memory that have one mark. No two objects of malloc()'s begin in the same.
const GRAIN: usize = 16;
/// As many marks as fit into a quarter of a megabyte.
const MARKS: usize = 1 << 18;
/// No more of a piece of memory than this is looked at.
const MOST: usize = 64 << 10;
/// percpu_refs are few, and have no number that tells much.
const PERCPU_MARKS: usize = 1 << 12;
/// A mark that was counted so often stays.
const FULL: u8 = u8::MAX;

static MARKED: [AtomicU8; MARKS] = [const { AtomicU8::new(0) }; MARKS];
static PERCPU: [AtomicU8; PERCPU_MARKS] = [const { AtomicU8::new(0) }; PERCPU_MARKS];
static ANY: AtomicBool = AtomicBool::new(false);

/// A count in memory that is given up.
#[derive(Clone, Copy)]
pub enum Count {
    /// It is referenced.
    Live(u64),
    /// A percpu_ref that was not exited.
    Percpu(u64),
    /// The last reference is gone.
    Released(u64),
    /// A percpu_ref that was exited.
    Exited(u64),
}

impl Count {
    /// Where it is.
    pub fn address(&self) -> u64 {
        match *self {
            Self::Live(address)
            | Self::Percpu(address)
            | Self::Released(address)
            | Self::Exited(address) => address,
        }
    }
}

/// Whether there is any.
#[inline]
pub fn are_there() -> bool {
    ANY.load(Relaxed)
}

/// A count begins.
pub fn add(address: u64) {
    ANY.store(true, Relaxed);
    change(&MARKED, address, 1);
}

/// A count is in memory that is given up.
pub fn remove(count: Count) {
    match count {
        Count::Percpu(address) | Count::Exited(address) => change(&PERCPU, address, -1),
        Count::Live(address) | Count::Released(address) => change(&MARKED, address, -1),
    }
}

/// A percpu_ref begins.
pub fn add_percpu(address: u64) {
    ANY.store(true, Relaxed);
    change(&PERCPU, address, 1);
}

fn change<const N: usize>(marks: &[AtomicU8; N], address: u64, by: i8) {
    let Some(mark) = marks.get(address as usize / GRAIN % N) else { return };
    let _ = mark.fetch_update(Relaxed, Relaxed, |now| match now {
        FULL => None,
        now => now.checked_add_signed(by),
    });
}

/// Whether there may be a count in memory.
#[inline]
pub fn has(start: usize, size: usize) -> bool {
    let (first, count) = (start / GRAIN, size.min(MOST).div_ceil(GRAIN));
    let is_marked = |at: usize| {
        MARKED.get(at % MARKS).is_some_and(|mark| mark.load(Relaxed) != 0)
            || PERCPU.get(at % PERCPU_MARKS).is_some_and(|mark| mark.load(Relaxed) != 0)
    };
    (first..first + count).any(is_marked)
}

/// Shows the counts in memory.
///
/// # Safety
/// Memory of so many bytes, which nobody but the caller uses. It begins at a multiple of 16.
pub unsafe fn look(start: usize, size: usize, mut show: impl FnMut(Count)) {
    let size = size.min(MOST);
    for grain in (start..start + size).step_by(GRAIN) {
        let end = (grain + GRAIN).min(start + size);
        if MARKED.get(grain / GRAIN % MARKS).is_some_and(|mark| mark.load(Relaxed) != 0) {
            for address in (grain..end).step_by(4).filter(|address| address + 4 <= end) {
                // SAFETY: inside the memory, and aligned. An atomic load, as others may still get or put.
                let value = unsafe { (*(address as *const AtomicU32)).load(Relaxed) };
                match value {
                    value if is_tracked(value) => show(Count::Live(address as u64)),
                    value if is_over(value) => show(Count::Released(address as u64)),
                    _ => {}
                }
            }
        }
        if PERCPU.get(grain / GRAIN % PERCPU_MARKS).is_some_and(|mark| mark.load(Relaxed) != 0) {
            for address in [grain, grain + 8].into_iter().filter(|at| at + 32 <= start + size) {
                // SAFETY: as above.
                unsafe { percpu_at(address) }.into_iter().for_each(&mut show);
            }
        }
    }
}

/// The stored value of a tracked count (src/count/number_line.rs). No thread is between its two steps, so that the
/// low bits are always the same.
fn is_tracked(value: u32) -> bool {
    (0x2000_0021..0x3000_0000).contains(&value) && value % 64 == 32
}

/// The count of a released object, or of one that was misused.
pub fn is_over(value: u32) -> bool {
    matches!(value, 0x7fff_ffff | 0x6000_0000)
}

/// The percpu_ref that may be at a place. A tracked one is in atomic mode: its number of CPUs is 0. Its pointer to its
/// other members is null if it was exited.
///
/// # Safety
/// The next 32 bytes may be read, and are aligned.
unsafe fn percpu_at(address: usize) -> Option<Count> {
    // SAFETY: the caller's promise.
    let word = |at: usize| unsafe { (*((address + at) as *const AtomicU64)).load(Relaxed) };
    match (word(0), word(8), word(16) as u32, word(24)) {
        (0, 0, 0, 0) => Some(Count::Exited(address as u64)),
        (_, _, 0, 1..) => Some(Count::Percpu(address as u64)),
        _ => None,
    }
}

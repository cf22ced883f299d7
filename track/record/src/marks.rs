//! Where tracked counts are: for free(), which must know at once whether there is one in the memory.
//!
//! Each 16 bytes of memory (a grain) belong to one byte of a small table; many grains share one byte. The byte is the
//! number of counts that began in these grains and whose memory was not freed. If it is zero, the grain has no tracked
//! count. If not, free() looks in the memory for the values that tracked counts have. Other data rarely has such a
//! value.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The bytes of memory that have one mark. No two objects of malloc()'s begin in the same.
const GRAIN: usize = 16;
/// As many marks as fit into a quarter of a megabyte.
const MARKS: usize = 1 << 18;
/// No more of a piece of memory than this is looked at.
const MOST: usize = 64 << 10;
/// percpu_refs are few, and have no number that tells much.
const PERCPU_MARKS: usize = 1 << 12;
/// A mark that was counted so often stays.
const FULL: u64 = 0xff;

static MARKED: Marks<{ MARKS / 8 }> = Marks::new();
static PERCPU: Marks<{ PERCPU_MARKS / 8 }> = Marks::new();

/// Marks, eight in a word.
struct Marks<const WORDS: usize> {
    words: [AtomicU64; WORDS],
    any: AtomicBool,
}

impl<const WORDS: usize> Marks<WORDS> {
    const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; WORDS], any: AtomicBool::new(false) }
    }

    fn word(&self, grain: usize) -> &AtomicU64 {
        let at = grain / 8 % WORDS;
        // SAFETY: less than the length.
        unsafe { self.words.get_unchecked(at) }
    }

    fn is_marked(&self, grain: usize) -> bool {
        self.word(grain).load(Relaxed) >> (grain % 8 * 8) & 0xff != 0
    }

    /// Whether there may be a mark from a grain to another one.
    #[inline]
    fn has(&self, first: usize, last: usize) -> bool {
        if !self.any.load(Relaxed) {
            return false;
        }
        (first / 8..=last / 8).any(|at| {
            let mut wanted = u64::MAX;
            if at == first / 8 {
                wanted <<= first % 8 * 8;
            }
            if at == last / 8 {
                wanted &= u64::MAX >> ((7 - last % 8) * 8);
            }
            self.word(at * 8).load(Relaxed) & wanted != 0
        })
    }

    /// Adds 1 to the byte of one grain, or subtracts it. The byte neither overflows nor goes below zero, since a carry
    /// would change the next grain's byte. The update is atomic, since a lost mark would let realloc() move a
    /// referenced object without a record for the judge.
    fn change(&self, address: u64, is_there: bool) {
        self.any.store(true, Relaxed);
        let grain = address as usize / GRAIN;
        let (shift, one) = (grain % 8 * 8, 1 << (grain % 8 * 8));
        let changed = |now: u64| match (now >> shift & 0xff, is_there) {
            (FULL, _) | (0, false) => None,
            (_, true) => Some(now + one),
            (_, false) => Some(now - one),
        };
        // Relaxed: who gives the memory up has it from the thread that began the count.
        let _ = self.word(grain).fetch_update(Relaxed, Relaxed, changed);
    }
}

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

/// A count begins.
pub fn add(address: u64) {
    MARKED.change(address, true);
}

/// A count is in memory that is given up.
pub fn remove(count: Count) {
    match count {
        Count::Percpu(address) | Count::Exited(address) => PERCPU.change(address, false),
        Count::Live(address) | Count::Released(address) => MARKED.change(address, false),
    }
}

/// A percpu_ref begins.
pub fn add_percpu(address: u64) {
    PERCPU.change(address, true);
}

/// Whether there is any mark.
#[inline]
pub fn are_there() -> bool {
    MARKED.any.load(Relaxed) || PERCPU.any.load(Relaxed)
}

/// Whether there may be a count in memory.
#[inline]
pub fn has(start: usize, size: usize) -> bool {
    let (first, last) = (start / GRAIN, (start + size.clamp(1, MOST) - 1) / GRAIN);
    MARKED.has(first, last) || PERCPU.has(first, last)
}

/// Shows the counts in memory.
///
/// # Safety
/// `start` is a multiple of 16, and `size` bytes from there are readable until this function returns. In a right
/// program only the caller uses them; in a wrong one other threads may still get or put.
pub unsafe fn look(start: usize, size: usize, mut show: impl FnMut(Count)) {
    let size = size.min(MOST);
    for grain in (start..start + size).step_by(GRAIN) {
        let end = (grain + GRAIN).min(start + size);
        if MARKED.is_marked(grain / GRAIN) {
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
        if PERCPU.is_marked(grain / GRAIN) {
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

/// The stored value of a count after the last put.
pub const DEAD: u32 = 0x7fff_ffff;
/// The same, in memory that was freed (src/count/number_line.rs).
pub const FREED: u32 = 0x7fdf_ffff;

/// The count of a released object, or of one that was misused.
pub fn is_over(value: u32) -> bool {
    matches!(value, DEAD | FREED | 0x6000_0000)
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

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::{Count, Marks, add, has, look, percpu_at, remove};

    #[repr(align(16))]
    struct Memory([AtomicU32; 512]);

    #[test]
    fn marks() {
        let marks: Marks<4> = Marks::new();
        for grain in 0..64_usize {
            marks.change(grain as u64 * 16 + 4, true);
            for first in 0..32 {
                for last in first..32 {
                    let is_inside = (first..=last).any(|at| at % 32 == grain % 32);
                    assert_eq!(marks.has(first, last), is_inside, "{grain} {first} {last}");
                }
            }
            marks.change(grain as u64 * 16, false);
        }
        // A mark that was counted too often stays.
        (0..300).for_each(|_| marks.change(16, true));
        (0..300).for_each(|_| marks.change(16, false));
        assert!(marks.is_marked(1) && !marks.is_marked(0) && !marks.is_marked(2));
    }

    #[test]
    fn marks_of_two_threads_in_one_word() {
        let marks: Marks<1> = Marks::new();
        let change = |grain: u64| {
            (0..200_000).for_each(|round| marks.change(grain * 16, round % 2 == 0));
            marks.change(grain * 16, true);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| change(3));
            change(4);
        });
        assert_eq!(marks.words[0].load(Relaxed), 1 << 24 | 1 << 32);
    }

    /// A mark alone says nothing: the memory does.
    #[test]
    fn counts_in_memory() {
        let memory = Memory([const { AtomicU32::new(0x2121_2121) }; 512]);
        let start = memory.0.as_ptr().expose_provenance();
        let at = |index: usize| start as u64 + 4 * index as u64;
        for index in [0, 100, 202, 511] {
            add(at(index));
        }
        memory.0[100].store(0x2000_0020 + 3 * 64, Relaxed);
        memory.0[202].store(0x7fff_ffff, Relaxed);
        assert!(has(start, 2048) && !has(start + 1024, 512));
        let mut seen = Vec::new();
        // SAFETY: the memory above.
        unsafe { look(start, 2048, |count| seen.push((count.address(), count))) };
        assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), [at(100), at(202)]);
        assert!(matches!((seen[0].1, seen[1].1), (Count::Live(_), Count::Released(_))));
        seen.into_iter().for_each(|seen| remove(seen.1));
        assert!(!has(start + 400, 16));
    }

    #[test]
    fn percpu_refs() {
        let at = |words: [u64; 4]| {
            // SAFETY: an array of 32 bytes.
            unsafe { percpu_at(words.as_ptr().expose_provenance()) }
        };
        assert!(matches!(at([8, 1, 0, 16]), Some(Count::Percpu(_))));
        assert!(matches!(at([0; 4]), Some(Count::Exited(_))));
        assert!(at([8, 1, 4, 16]).is_none() && at([8, 1, 0, 0]).is_none());
    }
}

//! The blocks that glibc's malloc() has given out, found by the head of each chunk:
//!
//! ```text
//! | size of the chunk before, if free | size, flags | memory ... | size | flags | ...
//! ```
//!
//! Whether a chunk is free is a flag of the one behind it. A free chunk in a thread's cache looks as if it was in use, but
//! for a key in its second word, which is the same in all caches. A free chunk in a fast bin counts as a block to which
//! nothing points.

use crate::reach::memory::{Memory, PAGE, Window};
use crate::reach::regions::{Kind, Region};

/// Memory that malloc() has given out: the first address, and the one behind the last.
pub type Block = (u64, u64);

/// What was found in a region of memory.
#[derive(Default)]
pub struct Heap {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Parts that are no heap.
    pub others: Vec<Block>,
    /// The head of the last chunk of the first heap, from which new blocks are cut off.
    pub top: Option<u64>,
    /// The key of free chunks in caches.
    key: Option<u64>,
}

const TRIES: u32 = 3;
const SMALLEST: u64 = 32;
const HEAD: u64 = 16;
/// A heap of another thread begins at a multiple of this.
const ARENA: u64 = 64 << 20;
/// Where its first chunk may be: behind its own head, and, in the arena's first heap, behind the arena's state.
const FIRST_CHUNKS: [u64; 7] = [0x8c0, 0x8d0, 0x8b0, 0x8e0, 0x30, 0x20, 0x40];
/// Where the state has the address of the last chunk, and its size.
pub const TOP: u64 = 96;
pub const STATE: u64 = 0x898;
/// The sizes of the memory that has a thread's cache: the first chunk of the thread's heap.
const CACHES: std::ops::RangeInclusive<u64> = 0x248..=0x338;
/// The first of these is an older glibc's, which counts in bytes.
const BYTES: u64 = 0x248;

impl Heap {
    /// Looks for blocks in a region. Another thread may change the chain meanwhile: then it is followed once more.
    pub fn find(&mut self, memory: &Memory, region: &Region) {
        let is_first = region.kind == Kind::Heap;
        let is_of_thread = !is_first && region.start.is_multiple_of(ARENA);
        for _ in 0..if is_first || is_of_thread { TRIES } else { 0 } {
            let mut window = memory.window();
            let found = match is_first {
                true => self.chunks(&mut window, region.start, region.end, None),
                false => self.of_thread(&mut window, region),
            };
            if let Some((blocks, last)) = found {
                self.blocks.extend(blocks);
                self.top = self.top.or(is_first.then_some(last));
                return;
            }
        }
        match is_first {
            true => self.others.push((region.start, region.end)),
            false => self.large(memory, region),
        }
    }

    /// A large block has a mapping of its own, which the kernel may have joined with others.
    fn large(&mut self, memory: &Memory, region: &Region) {
        let mut window = memory.window();
        let (mut at, mut other) = (region.start, region.start);
        while at < region.end && !memory.is_cut() {
            at = memory.next_page(at, region.end);
            let size = match (window.word(at), window.word(at + 8)) {
                (Some(0), Some(size)) if size & (PAGE - 1) == 2 => size & !7,
                _ => 0,
            };
            if size < PAGE || size > region.end - at {
                at += PAGE;
                continue;
            }
            if other < at {
                self.others.push((other, at));
            }
            self.blocks.push((at + HEAD, at + size));
            at += size;
            other = at;
        }
        if other < region.end {
            self.others.push((other, region.end));
        }
    }

    /// A heap of another thread than the first: its head has the arena's state.
    fn of_thread(&mut self, window: &mut Window, region: &Region) -> Option<(Vec<Block>, u64)> {
        let state = window.word(region.start)?;
        let used = window.word(region.start + 16)?;
        if state % 16 != 0 || used > region.end - region.start {
            return None;
        }
        let end = region.start + used;
        let top = window.word(state.checked_add(TOP)?)?;
        let mut chains = FIRST_CHUNKS.iter();
        chains.find_map(|first| {
            let first = region.start + first;
            let (blocks, last) = self.chunks(window, first, end, Some(top))?;
            (last == top || !region.has(top)).then_some((blocks, last))
        })
    }

    /// Follows a chain of chunks to its end: the last is at `top`, or reaches `end`. Returns the blocks and the last
    /// chunk.
    fn chunks(
        &mut self,
        window: &mut Window,
        first: u64,
        end: u64,
        top: Option<u64>,
    ) -> Option<(Vec<Block>, u64)> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut at, mut was_in_use) = (first, false);
        loop {
            let head = window.word(at + 8)?;
            let (size, before_is_in_use) = (head & !7, head & 1 != 0);
            if was_in_use && !before_is_in_use {
                blocks.pop();
            }
            if Some(at) == top
                || at.wrapping_add(size) == end
                || size == HEAD && end - at <= 2 * HEAD
            {
                return Some((blocks, at));
            }
            if size < SMALLEST || size % 16 != 0 || size >= end - at {
                return None;
            }
            let is_cache = at == first && is_cache(window, (at + HEAD, at + size + 8));
            if is_cache && self.key.is_none() {
                self.key = key(window, (at + HEAD, at + size), (first, end));
            }
            was_in_use = !is_cache && (self.key.is_none() || window.word(at + 24) != self.key);
            if was_in_use {
                blocks.push((at + HEAD, at + size + 8));
            }
            at += size;
        }
    }
}

/// Whether memory has a thread's cache, whose pointers lead to free chunks, and no block of the program's. A cache has a
/// count for each size, and behind these for each size a pointer to the first chunk. All sizes without
/// a chunk have the same count, and no other size has it. The thread may change one of them meanwhile.
fn is_cache(window: &mut Window, (start, end): Block) -> bool {
    if !CACHES.contains(&(end - start)) {
        return false;
    }
    let width = if end - start == BYTES { 1 } else { 2 };
    let sizes = (end - start) / (8 + width);
    let mut entries = Vec::new();
    for size in 0..sizes {
        let count = start + size * width;
        let pointer = window.word(start + sizes * width + 8 * size);
        let (Some(word), Some(pointer)) = (window.word(count & !7), pointer) else { return false };
        entries.push((word >> (8 * (count & 7)) & ((1 << (8 * width)) - 1), pointer));
    }
    let Some(&(none, _)) = entries.iter().find(|entry| entry.1 == 0) else { return false };
    entries.iter().filter(|&&(count, pointer)| (count == none) != (pointer == 0)).count() <= 1
}

/// The key of the chunks in a cache: that of each to which the cache has a pointer.
fn key(window: &mut Window, cache: Block, heap: Block) -> Option<u64> {
    let places = (cache.0..cache.1).step_by(8);
    let chunks: Vec<_> = places.filter_map(|place| window.word(place)).collect();
    let chunks = chunks.into_iter().filter(|chunk| (heap.0..heap.1).contains(chunk));
    let mut keys = chunks.filter_map(|chunk| window.word(chunk + 8));
    let key = keys.next()?;
    (key != 0 && keys.all(|other| other == key)).then_some(key)
}

/// Blocks by address.
pub struct Blocks {
    /// All of them, by address.
    pub all: Vec<Block>,
    /// Where they are.
    pub areas: Vec<Area>,
}

/// Blocks that are near each other.
pub struct Area {
    /// The page of the first one.
    pub start: u64,
    /// The end of the last one.
    pub end: u64,
    /// The number of the first one.
    pub first: usize,
    /// For each page the first block that may be in it.
    pages: Vec<u32>,
}

/// A gap of more bytes begins a new area.
const GAP: u64 = 1 << 20;

impl Blocks {
    /// Blocks in any order.
    pub fn new(mut all: Vec<Block>) -> Self {
        all.sort_unstable();
        let mut areas: Vec<Area> = Vec::new();
        for (number, &(start, end)) in all.iter().enumerate() {
            let is_new = areas.last().is_none_or(|area| start > area.end + GAP);
            if is_new {
                areas.push(Area {
                    start: start / PAGE * PAGE,
                    end,
                    first: number,
                    pages: Vec::new(),
                });
            }
            let Some(area) = areas.last_mut() else { continue };
            area.end = area.end.max(end);
            let pages = ((end - area.start).div_ceil(PAGE)) as usize;
            area.pages.resize(pages.max(area.pages.len()), number as u32);
        }
        Self { all, areas }
    }

    /// The number of the block that an address is in.
    #[inline]
    pub fn find(&self, address: u64) -> Option<u32> {
        let area = self.areas.partition_point(|area| area.start <= address).checked_sub(1)?;
        let area = self.areas.get(area).filter(|area| address < area.end)?;
        let first = *area.pages.get(((address - area.start) / PAGE) as usize)?;
        let blocks = self.all.get(first as usize..)?;
        let place = blocks.iter().position(|&(_, end)| address < end)?;
        (blocks[place].0 <= address).then_some(first + place as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::{Blocks, Heap, is_cache};
    use crate::reach::memory::Memory;
    use crate::reach::regions;
    use crate::tests::alone;

    #[test]
    fn the_block_of_an_address() {
        let blocks =
            Blocks::new(vec![(0x9010, 0x9028), (0x1010, 0x5028), (0x900_0010, 0x900_1000)]);
        let find = |address| blocks.find(address);
        assert_eq!([0x1010, 0x3000, 0x5027].map(find), [Some(0); 3]);
        assert_eq!([0x9010, 0x9027, 0x900_0fff].map(find), [Some(1), Some(1), Some(2)]);
        assert_eq!([0x100f, 0x5028, 0x8000, 0x9028, 0x900_1000, u64::MAX].map(find), [None; 6]);
        assert_eq!(Blocks::new(Vec::new()).find(0x1000), None);
    }

    #[test]
    fn a_cache_and_a_block_of_its_size() {
        let memory = Memory::of(std::process::id());
        let is_found = |words: &[u64; 81]| {
            let start = black_box(words).as_ptr() as u64;
            is_cache(&mut memory.window(), (start, start + 648))
        };
        let mut words = [0; 81];
        assert!(is_found(&words), "a cache that has nothing");
        words[0] = 3 << 16;
        words[16 + 1] = 0x5000;
        words[2] = 7;
        words[16 + 8] = 0x6000;
        assert!(is_found(&words), "two sizes");
        words[4] = 1;
        assert!(is_found(&words), "the thread takes the only chunk of a size");
        let filled = words.map(|word| match word {
            0 => 0x0007_0007_0007_0007,
            word => word,
        });
        assert!(!is_found(&filled), "a pointer for each size, or what looks like one");
        let mut later = [0; 81];
        later[..16].fill(0x0007_0007_0007_0007);
        (later[0], later[16 + 1]) = (0x0007_0007_0003_0007, 0x5000);
        assert!(is_found(&later), "glibc 2.42 counts the room that is left");
        let mut object = [0; 81];
        (object[0], object[2], object[40]) = (1, 0x5000_0000, 0x6000_0000);
        assert!(!is_found(&object), "a count, and two pointers");
    }

    /// Whether the blocks of this process are as they should be: of a copy, since the search itself allocates.
    fn own(is_right: impl Fn(&[super::Block]) -> bool) -> bool {
        // SAFETY: the copy only waits for its end.
        let copy = unsafe { libc::fork() };
        if copy == 0 {
            loop {
                // SAFETY: no argument.
                unsafe { libc::pause() };
            }
        }
        assert!(copy > 0);
        let (memory, pid) = (Memory::of(copy as u32), copy as u32);
        let mut heap = Heap::default();
        regions::of(pid).iter().for_each(|region| heap.find(&memory, region));
        // SAFETY: a child that was not waited for.
        unsafe {
            libc::kill(copy, libc::SIGKILL);
            libc::waitpid(copy, std::ptr::null_mut(), 0);
        }
        is_right(&heap.blocks)
    }

    #[test]
    fn blocks_of_a_process() {
        alone("reach::heap::tests::blocks_of_this_process");
    }

    /// Of each thread's heap, and large ones.
    #[test]
    #[ignore = "other tests allocate meanwhile: blocks_of_a_process runs it alone"]
    fn blocks_of_this_process() {
        const SIZES: [usize; 4] = [40, 100, 5000, 1 << 22];
        // SAFETY: memory, which is given back at the end.
        let new = || SIZES.map(|size| unsafe { libc::malloc(size) } as u64);
        let mut blocks: Vec<_> = new().into_iter().zip(SIZES).collect();
        blocks.extend(std::thread::spawn(new).join().expect("four").into_iter().zip(SIZES));
        let is_found = |found: &[super::Block], &(start, size): &(u64, usize)| {
            let last = start + size as u64 - 1;
            let of = |block: &&super::Block| (block.0..block.1).contains(&last);
            found.iter().find(of).is_some_and(|block| block.0 == start)
        };
        assert!(own(|found| blocks.iter().all(|block| is_found(found, block))));
        let free = |(start, _): (u64, usize)| {
            // SAFETY: from malloc().
            unsafe { libc::free(black_box(start) as *mut _) };
        };
        // It goes to this thread's cache.
        let cached = blocks.remove(1);
        free(cached);
        assert!(own(|found| is_found(found, &blocks[0]) && !is_found(found, &cached)));
        blocks.into_iter().for_each(free);
    }
}

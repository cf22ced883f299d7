//! Where the stacks of a process's threads are in use.
//!
//! The thread that asks for the report waits: the recorder has told where its frames are. Of a thread that is in a system
//! call the kernel tells where its stack ends. If neither is known, the thread runs, and its whole stack counts.

use crate::reach::memory::Memory;
use crate::reach::regions::{Kind, Region};
use crate::waits;

/// The thread that waits for the report.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// The kernel's number.
    pub tid: i32,
    /// The addresses of its frames, the innermost first.
    pub frames: Vec<u64>,
    /// Whether main() has returned: no function of the program has a frame.
    pub has_returned: bool,
}

/// What is below the innermost frame may have registers that were saved.
const SAVED: u64 = 4096;
/// A function may use so much below its stack pointer.
const RED_ZONE: u64 = 128;

/// The stacks.
#[derive(Default)]
pub struct Stacks {
    /// Up to where each is not in use, from the lowest address of its region on.
    ends: Vec<u64>,
    /// Threads that run. What they have in registers is not known.
    running: Vec<i32>,
}

impl Stacks {
    /// The stacks of all threads.
    pub fn of(pid: u32, asker: Option<&Asker>) -> Self {
        let mut stacks = Self::default();
        let asking = asker.filter(|asker| !asker.frames.is_empty()).map(|asker| asker.tid);
        if let Some(asker) = asker.filter(|asker| asking == Some(asker.tid)) {
            let frames = asker.frames.iter();
            stacks.ends.extend(match asker.has_returned {
                true => frames.max().copied(),
                false => frames.min().map(|end| end.saturating_sub(SAVED)),
            });
        }
        for tid in waits::threads(pid).into_iter().filter(|&tid| Some(tid) != asking) {
            match waits::of(pid, tid) {
                Some((_, Some(end))) => stacks.ends.push(end.saturating_sub(RED_ZONE)),
                Some((_, None)) => stacks.running.push(tid),
                None => {}
            }
        }
        stacks.ends.sort_unstable();
        stacks
    }

    /// Whether a thread runs.
    pub fn have_secrets(&self) -> bool {
        !self.running.is_empty()
    }

    /// The part of a region that is a stack in use, if the region is a stack.
    pub fn used(&self, memory: &Memory, region: &Region) -> Option<Option<(u64, u64)>> {
        if let Some(&end) = self.ends.iter().find(|&&end| region.has(end)) {
            return Some(Some((end, region.end)));
        }
        if region.kind == Kind::Stack {
            return Some(Some((region.start, region.end)));
        }
        let owners = (region.kind == Kind::Anonymous).then(|| owner(memory, region, &self.running));
        let is_used = owners.flatten()?;
        Some(is_used.then_some((region.start, region.end)))
    }

    /// The addresses at which stacks in use end.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }
}

/// Whether a region is a stack that the C library has made for a thread: whether one of these threads uses it. At the
/// stack's upper end the thread's own structure has the number of the thread, and the place and size of the stack.
fn owner(memory: &Memory, region: &Region, running: &[i32]) -> Option<bool> {
    const STRUCTURE: u64 = 0x1800;
    let (mut words, mut found) = (Vec::new(), None);
    let start = region.start.max(region.end.saturating_sub(STRUCTURE));
    memory.words(start, region.end, |place, word| words.push((place, word)));
    for (number, pair) in words.windows(2).enumerate() {
        let [(at, start), (behind, size)] = pair else { continue };
        let is_next = *behind == at + 8 && start.checked_add(*size) == Some(region.end);
        if is_next && *start <= region.start && region.start - start <= 1 << 20 {
            found = Some(number);
        }
    }
    let before = &words[..found?];
    let has = |tid: &i32| before.iter().any(|&(_, word)| word as u32 == *tid as u32);
    Some(running.iter().any(has))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Asker, Stacks};
    use crate::reach::memory::Memory;
    use crate::reach::regions::{self, Region};

    fn region(address: u64) -> Region {
        let regions = regions::of(std::process::id());
        *regions.iter().find(|region| region.has(address)).expect("it is mapped")
    }

    #[test]
    fn the_stack_of_a_thread_that_waits() {
        let (told, place) = channel();
        let (held, end) = channel::<()>();
        let waits = std::thread::spawn(move || {
            let here = 0_u64;
            // SAFETY: a bare call.
            told.send((&raw const here as u64, unsafe { libc::gettid() })).expect("heard");
            let _ = end.recv();
        });
        let (here, tid) = place.recv().expect("a place");
        let pid = std::process::id();
        while crate::waits::of(pid, tid).is_none_or(|(_, end)| end.is_none()) {
            std::thread::yield_now();
        }
        let used = Stacks::of(pid, None).used(&Memory::of(pid), &region(here));
        let used = used.flatten().expect("a stack in use");
        drop(held);
        waits.join().expect("it ends");
        assert!((used.0..used.1).contains(&here) && used.0 > region(here).start, "{used:x?}");
    }

    /// A thread that runs has told nobody where its stack ends.
    #[test]
    fn the_stack_of_a_thread_that_runs() {
        let pid = std::process::id();
        let own = std::thread::spawn(move || {
            let here = 0_u64;
            let (region, memory) = (region(&raw const here as u64), Memory::of(pid));
            // SAFETY: a bare call.
            let tid = unsafe { libc::gettid() };
            let of = |running| Stacks { ends: Vec::new(), running }.used(&memory, &region);
            assert_eq!(of(vec![tid]), Some(Some((region.start, region.end))));
            assert_eq!(of(vec![tid ^ 1 << 20]), Some(None), "of a thread that has ended");
        });
        own.join().expect("as it should be");
    }

    #[test]
    fn the_stack_of_the_thread_that_asks() {
        let pid = std::process::id();
        let here = 0_u64;
        let address = &raw const here as u64;
        // SAFETY: a bare call.
        let tid = unsafe { libc::gettid() };
        let asker = |has_returned| Asker { tid, frames: vec![address, address + 64], has_returned };
        let used = |asker| Stacks::of(pid, Some(&asker)).used(&Memory::of(pid), &region(address));
        let end = region(address).end;
        assert_eq!(used(asker(false)), Some(Some((address - 4096, end))));
        assert_eq!(used(asker(true)), Some(Some((address + 64, end))));
    }
}

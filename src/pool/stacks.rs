//! The stacks of free entries: one for each CPU, and every thread may access all of them. A pool with a limit has one
//! stack.
//!
//! A stack's head is the handle that its top entry gets next: generation and position. An entry's link and
//! generation do not change while the entry is on a stack, and an entry comes to the stacks at most once with one
//! generation. So if a head is what it was, all entries below are what they were. An exchange of the head takes the
//! entries that the thread has read, and needs no other tag against ABA.
//!
//! A signal handler may interrupt each of these functions and use the pool: they are lock-free.

use core::ptr::NonNull;

use super::KrefPool;
use super::entries::{Entry, handle, position};
use crate::rseq::{Area, CPU_SHIFT, CpuCache};
use crate::sys::memory;
use crate::sys::sync::AtomicU64;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};

/// The free entries of a CPU. The cache and the head do not share a cache line.
#[repr(C, align(512))]
#[derive(Debug)]
pub(crate) struct Stack {
    pub(super) cache: CpuCache,
    /// 0 if the stack is empty.
    head: AtomicU64,
}

const _: () = assert!(size_of::<Stack>() == 1 << CPU_SHIFT);

/// The most stacks. On a machine with more CPUs, some CPUs share a stack.
#[cfg(not(loom))]
const MOST: u32 = 512;

impl KrefPool {
    /// Takes entries from this CPU's stack or another one, as many as `into` has room for; or one that was never used.
    /// Writes their positions, and returns their number: 0 if no entry is left and none can be made.
    pub(super) fn take_shared(&self, into: &mut [u32]) -> usize {
        let Some(stacks) = self.stacks() else { return 0 };
        match mine(stacks).map_or(0, |stack| self.take(stack, into)) {
            0 => self.take_others(stacks, into),
            taken => taken,
        }
    }

    #[cold]
    #[inline(never)]
    fn take_others(&self, stacks: &[Stack], into: &mut [u32]) -> usize {
        for stack in stacks {
            match self.take(stack, into) {
                0 => {}
                taken => return taken,
            }
        }
        let (Some(to), Some(position)) = (into.first_mut(), self.take_fresh()) else { return 0 };
        *to = position;
        1
    }

    /// Pushes a chain of entries on this CPU's stack. No other thread has these entries. `first` is the handle of the
    /// chain's first entry.
    pub(super) fn put_shared(&self, first: u64, last: NonNull<Entry>) {
        let Some(Stack { head, .. }) = self.stacks().and_then(mine) else { return };
        let mut top = head.load(Relaxed);
        loop {
            // SAFETY: a pool's memory is valid while the pool lives.
            unsafe { last.as_ref() }.link.store(position(top), Relaxed);
            // Release: pairs with the acquire in `take`.
            match head.compare_exchange_weak(top, first, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Takes entries of a stack with one exchange, as many as `into` has room for. Returns their number.
    fn take(&self, stack: &Stack, into: &mut [u32]) -> usize {
        // Acquire, also below: pairs with the release of each push. All exchanges are one release sequence.
        let mut top = stack.head.load(Acquire);
        loop {
            let mut next = position(top);
            let mut taken = 0;
            for to in &mut *into {
                let Some(entry) = self.entry_at(next) else { break };
                *to = next;
                next = link_of(entry);
                taken += 1;
            }
            if taken == 0 {
                return 0;
            }
            // Relaxed: the head that it replaces was acquired when it was read.
            match stack.head.compare_exchange_weak(top, self.head_at(next), Relaxed, Acquire) {
                Ok(_) => return taken,
                Err(now) => top = now,
            }
        }
    }

    /// The head of a stack whose top entry is at `link`. If another thread has taken the entry that had this
    /// link, the result is anything, and the exchange fails.
    fn head_at(&self, link: u32) -> u64 {
        // SAFETY: a pool's memory is valid while the pool lives.
        self.entry_at(link)
            .map_or(0, |entry| handle(unsafe { entry.as_ref() }.generation.load(Relaxed), link))
    }

    /// The stacks. Made at the first allocation. `None` if there is no memory.
    fn stacks(&self) -> Option<&[Stack]> {
        // Acquire: pairs with the release in `make_stacks`.
        let stacks = NonNull::new(self.stacks.load(Acquire)).or_else(|| self.make_stacks())?;
        let count = self.stack_count.load(Relaxed) as usize;
        // SAFETY: `make_stacks` has made `count` stacks.
        Some(unsafe { NonNull::slice_from_raw_parts(stacks, count).as_ref() })
    }

    #[cold]
    #[inline(never)]
    fn make_stacks(&self) -> Option<NonNull<Stack>> {
        let _ = Area::decided(); // whether the process uses sequences
        // With two stacks, an entry may move to the one that a thread has just found empty. Then an allocation would
        // fail below the limit.
        let cpus = if self.layout.limit == 0 { cpus() } else { 1 };
        // The first thread decides, since the system's number of CPUs may change.
        let count = match self.stack_count.compare_exchange(0, cpus, Relaxed, Relaxed) {
            Ok(_) => self.stack_count.load(Relaxed) as usize,
            Err(count) => count as usize,
        };
        let size = count * size_of::<Stack>();
        let new = memory::map(size)?;
        #[cfg(loom)]
        for number in 0..count {
            let stack = Stack { cache: CpuCache::new(), head: AtomicU64::new(0) };
            // SAFETY: the memory has this size.
            unsafe { new.cast::<Stack>().add(number).write(stack) };
        }
        let none = core::ptr::null_mut();
        match self.stacks.compare_exchange(none, new.cast().as_ptr(), Release, Acquire) {
            Ok(_) => Some(new.cast()),
            Err(stacks) => {
                // SAFETY: nobody has seen the address.
                unsafe { memory::unmap(new, size) };
                NonNull::new(stacks)
            }
        }
    }

    /// Gives the stacks back.
    ///
    /// # Safety
    /// Nobody uses the pool, and no entry is left.
    pub(super) unsafe fn unmap_stacks(&self) {
        let stacks = self.stacks.swap(core::ptr::null_mut(), Relaxed);
        let size = self.stack_count.swap(0, Relaxed) as usize * size_of::<Stack>();
        if let Some(stacks) = NonNull::new(stacks) {
            // SAFETY: `make_stacks` has mapped them with this size.
            unsafe { memory::unmap(stacks.cast(), size) };
        }
    }
}

fn link_of(entry: NonNull<Entry>) -> u32 {
    // SAFETY: a pool's memory is valid while the pool lives.
    unsafe { entry.as_ref() }.link.load(Relaxed)
}

/// The stack of the CPU on which the calling thread runs. `None` never occurs: there is a stack.
fn mine(stacks: &[Stack]) -> Option<&Stack> {
    #[cfg(not(loom))]
    // SAFETY: sched_getcpu may always be called. On an error the result is -1, which is as good as any.
    let cpu = unsafe { libc::sched_getcpu() } as usize;
    #[cfg(loom)]
    let cpu = crate::rseq::running_on().unwrap_or(0);
    stacks.get(cpu).or_else(|| stacks.get(cpu.checked_rem(stacks.len())?))
}

/// The number of CPUs that this machine may have, at least 1.
fn cpus() -> u32 {
    #[cfg(loom)]
    return 2;
    #[cfg(not(loom))]
    {
        // SAFETY: sysconf may always be called.
        let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
        u32::try_from(cpus).unwrap_or(1).clamp(1, MOST)
    }
}

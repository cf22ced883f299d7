//! The free entries of a pool: a stack for each CPU.
//!
//! A thread takes from its CPU's stack the entry that was freed last. If the stack is empty, the thread takes all
//! that another CPU's stack has. So memory comes back to where it is needed, and one exchange moves many entries.
//!
//! A stack's head is the handle that its top entry gets next: generation and position. An entry's link and
//! generation do not change while the entry is free. So if a head is what it was, all entries below are what
//! they were, and the exchange of a pop needs no other tag against ABA.
//!
//! A signal handler may interrupt each of these functions and use the pool: they are lock-free.

use core::ptr::NonNull;

use super::KrefPool;
use super::entries::{Entry, handle, position};
use crate::sys::memory;
use crate::sys::sync::AtomicU64;
use crate::sys::sync::Ordering::{Acquire, Relaxed, Release};

/// The free entries of a CPU. Two cache lines, because the processor prefetches cache lines in pairs.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Stack {
    /// 0 if the stack is empty.
    head: AtomicU64,
}

/// More CPUs share stacks.
#[cfg(not(loom))]
const MOST: u32 = 512;

impl KrefPool {
    /// Takes a free entry. `None` if there is none and none can be made.
    pub(super) fn take_free(&self) -> Option<(NonNull<Entry>, u32)> {
        let stacks = self.stacks()?;
        let mine = mine(stacks);
        self.pop(mine).or_else(|| self.take_others(stacks, mine)).or_else(|| self.take_fresh())
    }

    /// Frees an entry: raises its generation, so that its handle is stale, and pushes it on a stack.
    ///
    /// # Safety
    /// The entry is in use, at this position of this pool, and its user gives it up.
    pub(super) unsafe fn put_free(&self, entry: NonNull<Entry>, position: u32) {
        // SAFETY: a pool's memory is valid while the pool lives.
        let Entry { generation, .. } = unsafe { entry.as_ref() };
        let Some(next) = self.next_generation(generation.load(Relaxed)) else {
            // Relaxed: no lookup succeeds, because the count stays dead.
            generation.store(0, Relaxed);
            self.retired.fetch_add(1, Relaxed);
            return;
        };
        // Relaxed: the push is a release.
        generation.store(next, Relaxed);
        if let Some(stacks) = self.stacks() {
            // SAFETY: as above.
            unsafe { push(mine(stacks), entry, handle(next, position)) };
        }
    }

    fn pop(&self, stack: &Stack) -> Option<(NonNull<Entry>, u32)> {
        // Acquire, also below: pairs with the release of the push.
        let mut top = stack.head.load(Acquire);
        loop {
            let entry = self.entry_at(position(top))?;
            // SAFETY: a pool's memory is valid while the pool lives.
            let link = unsafe { entry.as_ref() }.link.load(Relaxed);
            match stack.head.compare_exchange_weak(top, self.head_at(link), Acquire, Acquire) {
                Ok(_) => return Some((entry, position(top))),
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

    /// Takes the free entries of another CPU: the first for the caller, the others for the caller's CPU.
    #[cold]
    #[inline(never)]
    fn take_others(&self, stacks: &[Stack], mine: &Stack) -> Option<(NonNull<Entry>, u32)> {
        let other = stacks.iter().find(|stack| stack.head.load(Relaxed) != 0)?;
        // Nothing else is left: other threads must find the rest.
        if self.is_exhausted(self.fresh.load(Relaxed)) {
            return self.pop(other);
        }
        // Acquire: pairs with the release of each push. They are one release sequence.
        let top = position(other.head.swap(0, Acquire));
        let entry = self.entry_at(top)?;
        // SAFETY: the entry is free, and nobody else has it.
        let rest = unsafe { entry.as_ref() }.link.load(Relaxed);
        self.give(mine, rest);
        Some((entry, top))
    }

    /// Puts a chain of entries that nobody else has on a stack.
    fn give(&self, stack: &Stack, first: u32) {
        // Release: pairs with the acquire of the pop.
        if stack.head.compare_exchange(0, self.head_at(first), Release, Relaxed).is_ok() {
            return;
        }
        // Entries below another one need another link, and so, against ABA, another generation.
        let mut next = first;
        while let Some(entry) = self.entry_at(next) {
            let position = next;
            // SAFETY: nobody else has the entry.
            unsafe {
                next = entry.as_ref().link.load(Relaxed);
                self.put_free(entry, position);
            }
        }
    }

    /// The stacks. Made at the first allocation. `None` if there is no memory.
    fn stacks(&self) -> Option<&[Stack]> {
        // Acquire: pairs with the release below.
        let stacks = NonNull::new(self.stacks.load(Acquire)).or_else(|| self.make_stacks())?;
        let count = self.stack_count.load(Relaxed) as usize;
        // SAFETY: `make_stacks` has made so many.
        Some(unsafe { NonNull::slice_from_raw_parts(stacks, count).as_ref() })
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

    #[cold]
    #[inline(never)]
    fn make_stacks(&self) -> Option<NonNull<Stack>> {
        // The first thread decides, since the system's number of CPUs may change.
        let count = match self.stack_count.compare_exchange(0, cpus(), Relaxed, Relaxed) {
            Ok(_) => self.stack_count.load(Relaxed) as usize,
            Err(count) => count as usize,
        };
        let size = count * size_of::<Stack>();
        let new = memory::map(size)?;
        #[cfg(loom)]
        for number in 0..count {
            // SAFETY: the memory has this size.
            unsafe { new.cast::<Stack>().add(number).write(Stack { head: AtomicU64::new(0) }) };
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
}

/// The stack of the CPU on which the calling thread runs.
fn mine(stacks: &[Stack]) -> &Stack {
    #[cfg(not(loom))]
    // SAFETY: sched_getcpu may always be called. On an error the result is -1, which is as good as any.
    let cpu = unsafe { libc::sched_getcpu() } as usize;
    #[cfg(loom)]
    let cpu = crate::rseq::running_on().unwrap_or(0);
    &stacks[cpu % stacks.len()]
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

/// # Safety
/// The entry is nobody else's, and `head` is its handle.
unsafe fn push(stack: &Stack, entry: NonNull<Entry>, head: u64) {
    let mut top = stack.head.load(Relaxed);
    loop {
        // SAFETY: as promised.
        unsafe { entry.as_ref() }.link.store(position(top), Relaxed);
        // Release: pairs with the acquire of the pop.
        match stack.head.compare_exchange_weak(top, head, Release, Relaxed) {
            Ok(_) => return,
            Err(now) => top = now,
        }
    }
}

//! The sequences of a loom model: a simulated machine with two CPUs.
//!
//! A sequence holds the lock of its CPU from its first load to its commit. A fence takes the lock of each
//! CPU, one after the other, and releases it at once. So a fence here waits for a sequence; the kernel
//! would abort it.
//!
//! # Why a fence that waits is enough
//!
//! An aborted sequence has stored nothing, because the commit is its only store. Its retry begins after the
//! fence, and loom runs that interleaving. Before the abort the sequence has only read memory. loom checks
//! the same reads in another interleaving, in which the sequence commits before the fence. A sequence that gives
//! up after an abort does the same as the sequence of a thread that is not
//! registered. A model says where a sequence gives up: see [`run_on`].
//!
//! # What is stronger here than on the real machine
//!
//! * A fence comes to CPU 0 first and to CPU 1 last. So CPU 1 sees after the fence what a sequence on
//!   CPU 0 did before the fence. A real fence may come to the CPUs in any order.
//! * The models do not contain the decision whether the process uses sequences. On the real machine a reader may
//!   run before the decision, and takes the lock.
//!
//! # What is weaker here
//!
//! * A real fence orders all memory accesses of all threads. Here a fence orders only some accesses of
//!   another thread: those before the end of the thread's last sequence, and those after the start of its next
//!   sequence. An access between two sequences is not ordered.
//! * On x86-64 each load is an acquire and each store is a release. Here only the loads of the published
//!   pointer and of `cpus` are acquires, because the sequences need no more.
//!
//! Two sequences on one CPU see each other's writes, as on the real machine.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use loom::sync::Mutex;

use super::{CPU_SHIFT, Cached, CpuCache, GAVE_UP, Head, Taken};
use crate::sys::sync::Ordering::{Acquire, Relaxed};
use crate::sys::sync::{AtomicI32, AtomicPtr};

/// The number of CPUs of the machine.
const CPUS: u32 = 2;

struct Machine {
    /// The lock of each CPU: held while a sequence runs on this CPU.
    cpus: [Mutex<()>; CPUS as usize],
    refuses_to_fence: Cell<bool>,
}

std::thread_local! {
    // A cell of std and not of loom, because it must not order the threads of the model. loom runs all
    // threads of a model in one thread of the system.
    static MACHINE: RefCell<Option<Rc<Machine>>> = const { RefCell::new(None) };
}

loom::thread_local! {
    static CPU: Cell<Option<usize>> = Cell::new(None);
}

fn machine() -> Option<Rc<Machine>> {
    MACHINE.with_borrow(Option::clone)
}

/// Runs one interleaving of a model on a machine with sequences. In a model that does not call this
/// function, the process has no sequences.
#[cfg(test)]
pub(crate) fn on_a_machine(model: impl FnOnce()) {
    let refuses_to_fence = Cell::new(false);
    MACHINE.set(Some(Rc::new(Machine { cpus: Default::default(), refuses_to_fence })));
    model();
    MACHINE.set(None);
}

/// From now on the kernel refuses to fence, as a seccomp filter may make it.
#[cfg(test)]
pub(crate) fn refuse_to_fence() {
    machine().expect("a machine").refuses_to_fence.set(true);
}

/// From now on the calling thread runs on this CPU. `None`: the thread is not registered, as at its start,
/// or each of its sequences is aborted so often that the sequence gives up.
#[cfg(test)]
pub(crate) fn run_on(cpu: Option<usize>) {
    CPU.with(|now| now.set(cpu));
}

/// The CPU of the calling thread.
pub(crate) fn running_on() -> Option<usize> {
    CPU.with(Cell::get)
}

/// Runs a sequence on this thread's CPU. `None` if the thread is not registered.
fn sequence<T>(steps: impl FnOnce(usize) -> Option<T>) -> Option<T> {
    let cpu = running_on()?;
    let machine = machine()?;
    let _running = machine.cpus[cpu].lock().unwrap();
    steps(cpu)
}

/// Waits for every sequence that has begun. `false` if the kernel refuses.
pub(crate) fn fence() -> bool {
    let Some(machine) = machine() else { return true };
    if machine.refuses_to_fence.get() {
        return false;
    }
    for cpu in &machine.cpus {
        drop(cpu.lock().unwrap());
    }
    true
}

#[derive(Clone, Copy)]
pub(crate) struct Area(());

impl Area {
    /// The value of [`keep`](Self::keep).
    const KEPT: isize = 1;

    pub(crate) fn known() -> Option<Self> {
        machine().map(|_| Self(()))
    }

    pub(crate) fn decided() -> Option<Self> {
        Self::known()
    }

    pub(crate) fn kept(offset: isize) -> Option<Self> {
        (offset == Self::KEPT).then_some(Self(()))
    }

    pub(crate) fn keep(self) -> isize {
        Self::KEPT
    }

    pub(crate) fn cpus(self) -> u32 {
        CPUS
    }

    pub(crate) fn is_registered(self) -> bool {
        CPU.with(Cell::get).is_some()
    }

    /// # Safety
    /// As for the sequence of x86_64.rs.
    pub(crate) unsafe fn take<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let taken = sequence(|_| {
            let object = slot.load(Acquire);
            // SAFETY: null, or an object that begins with a count. No fence comes before the end of the
            // sequence, so the object is valid, as the caller promises.
            let count = unsafe { object.cast::<AtomicI32>().as_ref() };
            // -1 and above: as in src/count/mod.rs.
            let not_alive = count.is_some_and(|count| count.fetch_add(1, Relaxed) >= -1);
            Some(Taken { object, not_alive })
        });
        taken.unwrap_or_else(gave_up)
    }

    /// # Safety
    /// As for the sequence of x86_64.rs.
    pub(crate) unsafe fn take_percpu<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let taken = sequence(|cpu| {
            let object = slot.load(Acquire);
            // SAFETY: null, or an object that begins with a head. The rest is as above.
            if let Some(head) = unsafe { object.cast::<Head>().as_ref() } {
                // SAFETY: as promised.
                unsafe { add_on(cpu, head, 1) }?;
            }
            Some(Taken { object, not_alive: false })
        });
        taken.unwrap_or_else(gave_up)
    }

    /// # Safety
    /// As for the sequence of x86_64.rs.
    pub(crate) unsafe fn pop(self, caches: NonNull<CpuCache>, cpus: u32) -> Cached<u32> {
        let popped = sequence(|cpu| {
            // SAFETY: as promised.
            let CpuCache { count, numbers } = unsafe { cache_of(cpu, caches, cpus) }?;
            let before = count.load(Relaxed);
            let number = numbers.get((before as usize).wrapping_sub(1)).map(|at| at.load(Relaxed));
            count.store(before.saturating_sub(1), Relaxed);
            Some(number.unwrap_or(0))
        });
        Cached::popped(popped.unwrap_or(GAVE_UP as u32))
    }

    /// # Safety
    /// As for the sequence of x86_64.rs.
    pub(crate) unsafe fn push(
        self,
        caches: NonNull<CpuCache>,
        cpus: u32,
        number: u32,
    ) -> Cached<()> {
        let pushed = sequence(|cpu| {
            // SAFETY: as promised.
            let CpuCache { count, numbers } = unsafe { cache_of(cpu, caches, cpus) }?;
            let after = count.load(Relaxed) + 1;
            if let Some(at) = numbers.get(after as usize - 1) {
                at.store(number, Relaxed);
                count.store(after, Relaxed);
            }
            Some(after)
        });
        Cached::pushed(pushed.unwrap_or(0))
    }
}

/// The cache of a CPU. `None` if it has none.
///
/// # Safety
/// As for the sequence of x86_64.rs.
unsafe fn cache_of<'a>(cpu: usize, caches: NonNull<CpuCache>, cpus: u32) -> Option<&'a CpuCache> {
    // SAFETY: as promised.
    (cpu < cpus as usize).then(|| unsafe { caches.byte_add(cpu << CPU_SHIFT).as_ref() })
}

fn gave_up<T>() -> Taken<T> {
    Taken { object: std::ptr::without_provenance_mut(GAVE_UP), not_alive: false }
}

/// # Safety
/// As for the sequence of x86_64.rs.
pub(crate) unsafe fn add(percpu: &Head, n: isize) -> bool {
    let has_counters = percpu.rseq.load(Relaxed) != 0;
    // SAFETY: as promised.
    has_counters && sequence(|cpu| unsafe { add_on(cpu, percpu, n) }).is_some()
}

/// # Safety
/// As for the sequence of x86_64.rs.
pub(crate) unsafe fn sub(percpu: &Head, n: isize) -> bool {
    // SAFETY: as promised.
    unsafe { add(percpu, -n) }
}

/// The last steps of a sequence on `cpu`. In two steps, because on the real machine the addition is not
/// atomic for other CPUs.
///
/// # Safety
/// As for the sequence of x86_64.rs.
unsafe fn add_on(cpu: usize, percpu: &Head, n: isize) -> Option<()> {
    // Acquire: if `cpus` is not zero, the word is split and the counters exist.
    if cpu >= percpu.cpus.load(Acquire) as usize {
        return None;
    }
    let first = percpu.counters.load(Relaxed);
    // SAFETY: `cpus` was not zero, and the fence waits for this sequence. So there are counters, one for
    // each CPU.
    let counter = unsafe { &*first.byte_add(cpu << CPU_SHIFT) };
    counter.store(counter.load(Relaxed) + n, Relaxed);
    Some(())
}

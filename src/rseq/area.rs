//! The threads' rseq areas, and the fence: the same on every processor.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicIsize, AtomicU32};

use super::{registrant, sequences};
use crate::sys::errno;

/// The offset of the calling thread's rseq area from its thread pointer. With glibc it is the same in every
/// thread.
#[derive(Clone, Copy)]
pub(crate) struct Area(pub(super) isize);

const UNDECIDED: isize = 0;
/// Stands for a process without sequences. The registrant finds no such number.
const NONE: isize = 1;
/// What the registrant has found.
static FOUND: AtomicIsize = AtomicIsize::new(UNDECIDED);

/// Whether the offset is the same in every thread.
const SAME: bool = cfg!(not(target_env = "musl"));

/// The number of CPUs that get a counter. Zero until the first percpu reference.
static CPUS: AtomicU32 = AtomicU32::new(0);

/// No machine has more CPUs. If the system says a larger number, no CPU gets a counter.
const MOST_CPUS: u32 = 1 << 16;

impl Area {
    /// The area, if a writer has decided that the process uses sequences. For readers: this is fast.
    #[inline(always)]
    pub(crate) fn known() -> Option<Self> {
        // Relaxed: no other data depends on the number.
        let found = FOUND.load(Relaxed);
        (found as usize > NONE as usize).then(|| Self(registrant::offset(found)))
    }

    /// The area, if the process uses sequences. If nobody has decided that yet, this call does. A
    /// writer calls this function before it writes.
    pub(crate) fn decided() -> Option<Self> {
        if FOUND.load(Relaxed) == UNDECIDED {
            let found = look().unwrap_or(NONE);
            // If two threads come here together, the first decision is valid for both.
            let _ = FOUND.compare_exchange(UNDECIDED, found, Relaxed, Relaxed);
        }
        Self::known()
    }

    /// Decides that the process uses no sequences. Does nothing if that was decided before, either way.
    pub(crate) fn forgo() {
        let _ = FOUND.compare_exchange(UNDECIDED, NONE, Relaxed, Relaxed);
    }

    /// The area for an offset from [`keep`](Self::keep).
    #[inline(always)]
    pub(crate) fn kept(offset: isize) -> Option<Self> {
        if SAME { (offset != 0).then_some(Self(offset)) } else { Self::known() }
    }

    /// The offset of every thread's area, which a slot or a percpu reference keeps. Zero if the threads have
    /// different offsets.
    pub(crate) fn keep(self) -> isize {
        if SAME { self.0 } else { 0 }
    }

    /// The number of CPUs that get a counter; 0 if the number is not known.
    pub(crate) fn cpus(self) -> u32 {
        // Relaxed: no other data depends on the number. The first thread's number is valid for all
        // threads.
        if CPUS.load(Relaxed) == 0 {
            let _ = CPUS.compare_exchange(0, cpus(), Relaxed, Relaxed);
        }
        CPUS.load(Relaxed)
    }

    /// Whether the calling thread is registered. For diagnostics: makes a system call.
    pub(crate) fn is_registered(self) -> bool {
        sequences::cpu(self) >= 0 && !kernel_denies()
    }
}

/// Whether the kernel says that the calling thread is not registered, although its area may look so: the
/// thread was made by a clone that the C library does not know of.
fn kernel_denies() -> bool {
    refused_registration() == libc::EFAULT
}

/// Asks the kernel to register an area at an address that is not the program's. The kernel never does, and
/// its error tells: EINVAL for a thread that has an area already, EFAULT for a thread that has none.
pub(super) fn refused_registration() -> libc::c_int {
    const SIZE: usize = 32;
    let no_address = usize::MAX - (SIZE - 1);
    errno::preserved(|| {
        // SAFETY: the kernel refuses this address, and so changes nothing.
        let result = unsafe { libc::syscall(libc::SYS_rseq, no_address, SIZE, 0_usize, 0_usize) };
        if result < 0 { errno::get() } else { 0 }
    })
}

/// What the registrant has found; `None` if nobody registers areas, or the kernel cannot fence.
fn look() -> Option<isize> {
    let found = registrant::find()?;
    #[cfg(kref_sequences = "aarch64")]
    sequences::look_for_lse();
    #[cfg(not(kref_sequences = "x86_64"))]
    if super::kernel::is_broken() {
        return None;
    }
    membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ).then_some(found)
}

/// The number of CPUs that get a counter: the number that the machine is configured for, but at least
/// one more than the highest number of a CPU on which this thread may run. On any other CPU a sequence
/// gives up.
fn cpus() -> u32 {
    let mut mask = [0_u64; 128];
    // SAFETY: the call passes the size of the mask. The kernel returns the number of bytes that it has
    // written.
    let known = unsafe {
        libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()) > 0
    };
    let words = mask.iter().zip(1_u32..).filter(|(word, _)| known && **word != 0);
    let usable = words.map(|(word, n)| n * u64::BITS - word.leading_zeros()).max().unwrap_or(0);
    // SAFETY: sysconf may always be called.
    let possible = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
    let cpus = usable.max(u32::try_from(possible).unwrap_or(0));
    if cpus <= MOST_CPUS { cpus } else { 0 }
}

const PRIVATE_EXPEDITED_RSEQ: libc::c_int = 1 << 7;
const REGISTER_PRIVATE_EXPEDITED_RSEQ: libc::c_int = 1 << 8;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: these commands take no pointer and change no memory.
    errno::preserved(|| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }) == 0
}

/// Aborts every sequence of the process that has not committed, and makes the other sequences' commits
/// visible. `false` if the kernel refuses.
pub(crate) fn fence() -> bool {
    // Registers again if the first fence fails: the process may have been restored from a checkpoint
    // (CRIU).
    let fenced = membarrier(PRIVATE_EXPEDITED_RSEQ)
        || membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ);
    // Acquire: if the process has one thread left, the kernel only reads that, without a barrier. What follows must
    // not be read before. No instruction on x86-64.
    core::sync::atomic::fence(core::sync::atomic::Ordering::Acquire);
    fenced
}

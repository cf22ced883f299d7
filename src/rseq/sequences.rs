//! The sequences, for x86-64 Linux with glibc.
//!
//! Loads acquire and stores release on this processor; nothing here needs more.

use core::arch::asm;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32};

use super::Taken;
use crate::kref::Kref;
use crate::line::errno;
use crate::percpu::PercpuRef;
use crate::percpu::counters::CPU_SHIFT;
use crate::weak::weak;

/// Where a thread's rseq area is, counted from its thread pointer: the same in every thread.
#[derive(Clone, Copy)]
pub(crate) struct Area(isize);

const UNDECIDED: isize = 0;
/// Not a multiple of the area's alignment, so no offset.
const NONE: isize = 1;
static OFFSET: AtomicIsize = AtomicIsize::new(UNDECIDED);

/// How many CPUs get a counter of their own. Zero until somebody wants one.
static CPUS: AtomicU32 = AtomicU32::new(0);

/// More is no number of CPUs.
const MOST_CPUS: u32 = 1 << 16;

/// How often a sequence starts over before it gives up.
const RESTARTS: u32 = 64;

impl Area {
    /// Where it is, if the process is known to have them. What a reader asks: cheap.
    #[inline(always)]
    pub(crate) fn known() -> Option<Self> {
        // Relaxed: the offset is all there is to know.
        let offset = OFFSET.load(Relaxed);
        (offset as usize > NONE as usize).then_some(Self(offset))
    }

    /// Decides whether the process has them, if nobody has yet. What a writer asks, before it
    /// writes.
    pub(crate) fn decided() -> Option<Self> {
        if OFFSET.load(Relaxed) == UNDECIDED {
            let offset = look().unwrap_or(NONE);
            // Whoever comes second goes by what the first has found.
            let _ = OFFSET.compare_exchange(UNDECIDED, offset, Relaxed, Relaxed);
        }
        Self::known()
    }

    /// The area by the offset that a slot keeps.
    #[inline(always)]
    pub(crate) fn kept(offset: isize) -> Option<Self> {
        (offset != UNDECIDED).then_some(Self(offset))
    }

    /// The number to keep.
    pub(crate) fn keep(self) -> isize {
        self.0
    }

    /// How many CPUs get a counter of their own; none if that cannot be known.
    pub(crate) fn cpus(self) -> u32 {
        // Relaxed: the number is all there is to know, and whoever comes second goes by the first's.
        if CPUS.load(Relaxed) == 0 {
            let _ = CPUS.compare_exchange(0, cpus(), Relaxed, Relaxed);
        }
        CPUS.load(Relaxed)
    }

    /// Whether the calling thread is registered.
    pub(crate) fn is_registered(self) -> bool {
        let cpu: i32;
        // SAFETY: reads the thread's own area, which every thread of the process has.
        unsafe {
            asm!("mov {cpu:e}, fs:[{area} + 4]", area = in(reg) self.0, cpu = out(reg) cpu,
                 options(nostack, readonly, preserves_flags));
        }
        cpu >= 0
    }
}

/// The offset, if glibc has registered the main thread and the kernel will fence.
fn look() -> Option<isize> {
    let offset: *const isize = weak!("__rseq_offset").cast();
    let size: *const u32 = weak!("__rseq_size").cast();
    // SAFETY: null, or glibc's, which are set before any code of ours runs.
    let (offset, size) = unsafe { (*offset.as_ref()?, *size.as_ref()?) };
    if size == 0 {
        return None;
    }
    membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ).then_some(offset)
}

/// How many CPUs get a counter of their own: as many as the machine may have, as far as that can be
/// known, and at least those that this thread may use. On one beyond that a sequence gives up.
fn cpus() -> u32 {
    let mut mask = [0_u64; 128];
    // SAFETY: the mask is as long as it says. The kernel's answer is its length in bytes.
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
    let saved = errno::get();
    // SAFETY: these commands take no pointer, and change nothing that the process can see.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    errno::set(saved);
    result == 0
}

/// Every sequence under way in the process has committed, or starts over. `false` if the kernel
/// refuses.
pub(crate) fn fence() -> bool {
    // A process restored from a checkpoint may have to register anew.
    membarrier(PRIVATE_EXPEDITED_RSEQ)
        || membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ)
}

/// The descriptor of the sequence from label 2 to label 3, whose abort handler is at label 4; and
/// the sequence's beginning: from here on the thread is in it.
macro_rules! enter {
    () => {
        concat!(
            ".pushsection .data.rel.ro, \"aw\", @progbits\n",
            ".balign 32\n",
            "7: .long 0, 0\n",
            ".quad 2f, 3f - 2f, 4f\n",
            ".popsection\n",
            "6: lea {scratch}, [rip + 7b]\n",
            "mov fs:[{area} + 8], {scratch}\n",
            "2:",
        )
    };
}

/// The way out, after the commit and without one.
macro_rules! leave {
    () => {
        "mov qword ptr fs:[{area} + 8], 0"
    };
}

/// Out of line, in a section that no function is in: the abort handler, behind the four bytes by
/// which the kernel knows one. glibc has registered them; they are part of an undefined
/// instruction.
macro_rules! abort_handler {
    () => {
        concat!(
            ".pushsection .text.kref_rseq, \"ax\", @progbits\n",
            ".byte 0x0f, 0xb9, 0x3d\n",
            ".long 0x53053053\n",
            "4:",
        )
    };
}

impl Area {
    /// Takes a reference on the kref that `slot` publishes: loads the pointer and raises the
    /// count, and no fence comes between the two.
    ///
    /// # Safety
    /// What is published is a live kref, and whoever takes it down calls [`fence`] before it
    /// gives up the slot's reference.
    #[inline(always)]
    pub(crate) unsafe fn take(self, slot: &AtomicPtr<Kref>) -> Taken<Kref> {
        let kref: *mut Kref;
        let old: i32;
        // SAFETY: a sequence as the page above wants it. It reads the slot, and adds to a count
        // that the caller's promise keeps alive until the addition or a restart.
        unsafe {
            asm!(
                enter!(),
                "cmp dword ptr fs:[{area} + 4], 0",
                "jl 8f",
                "mov {kref}, [{slot}]", // acquires, as every load does here
                "test {kref}, {kref}",
                "jz 3f",
                "lock xadd [{kref}], {old:e}", // the commit; relaxed is enough for a get
                "3:",
                leave!(),
                abort_handler!(),
                "dec {restarts:e}",
                "jnz 6b",
                "8:",
                leave!(),
                "mov {kref:e}, 1",
                "jmp 9f",
                ".popsection",
                "9:",
                area = in(reg) self.0,
                slot = in(reg) slot.as_ptr(),
                kref = out(reg) kref,
                old = inout(reg) 1 => old,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                options(nostack),
            );
        }
        Self::taken(kref, old)
    }

    #[inline(always)]
    fn taken<T>(pointer: *mut T, old: i32) -> Taken<T> {
        match NonNull::new(pointer) {
            None => Taken::Nothing,
            Some(_) if pointer.addr() == 1 => Taken::GaveUp,
            Some(pointer) => Taken::Raised(pointer, old),
        }
    }

    /// Takes a reference on the percpu reference that `slot` publishes, where it counts for each
    /// CPU: loads the pointer and adds to this CPU's counter, and no fence comes between the two.
    ///
    /// # Safety
    /// As for [`take`](Self::take) and [`add`](Self::add).
    #[inline(always)]
    pub(crate) unsafe fn take_percpu(self, slot: &AtomicPtr<PercpuRef>) -> Taken<PercpuRef> {
        let percpu: *mut PercpuRef;
        // SAFETY: a sequence as the page above wants it. It reads the slot and what is published
        // there, which the caller's promise keeps alive until the addition or a restart.
        unsafe {
            asm!(
                enter!(),
                "mov {scratch:e}, fs:[{area} + 4]",
                "test {scratch:e}, {scratch:e}", // not registered: not even a look at the object
                "js 8f",
                "mov {percpu}, [{slot}]",
                "test {percpu}, {percpu}",
                "jz 3f",
                "cmp {scratch:e}, [{percpu} + {cpus}]",
                "jae 8f",
                "shl {scratch}, {shift}",
                "add {scratch}, [{percpu} + {counters}]",
                "inc qword ptr [{scratch}]", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                "dec {restarts:e}",
                "jnz 6b",
                "8:",
                leave!(),
                "mov {percpu:e}, 1",
                "jmp 9f",
                ".popsection",
                "9:",
                area = in(reg) self.0,
                slot = in(reg) slot.as_ptr(),
                percpu = out(reg) percpu,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                cpus = const PercpuRef::CPUS,
                counters = const PercpuRef::COUNTERS,
                shift = const CPU_SHIFT,
                options(nostack),
            );
        }
        Self::taken(percpu, 1)
    }
}

/// Adds `n` to this CPU's counter of `percpu`, unless it counts atomically; says whether it did.
/// Never starts over: the atomic way is right, too.
///
/// All that it reads it reads here: ThreadSanitizer, to which a put is announced before it is
/// made, must see nothing of the object after that.
///
/// # Safety
/// The reference's counters are there for as long as its `cpus` is not zero, and for as long as a
/// sequence may have read it so.
#[inline(always)]
pub(crate) unsafe fn add(percpu: &PercpuRef, n: isize) -> bool {
    let mut added = 1_u32;
    // SAFETY: a sequence as the page above wants it. It adds to the counter of the CPU that it is
    // on, which exists, being one of the first `cpus`.
    unsafe {
        asm!(
            "mov {area}, [{percpu} + {rseq}]",
            "test {area}, {area}",
            "jz 8f",
            enter!(),
            "mov {scratch:e}, fs:[{area} + 4]",
            "cmp {scratch:e}, [{percpu} + {cpus}]", // also if it is negative
            "jae 4f",
            "shl {scratch}, {shift}",
            "add {scratch}, [{percpu} + {counters}]",
            "add [{scratch}], {n}", // the commit; a release, as every store is here
            "3:",
            leave!(),
            abort_handler!(),
            leave!(),
            "8:",
            "xor {added:e}, {added:e}",
            "jmp 9f",
            ".popsection",
            "9:",
            percpu = in(reg) ptr::from_ref(percpu),
            n = in(reg) n,
            added = inout(reg) added,
            area = out(reg) _,
            scratch = out(reg) _,
            rseq = const PercpuRef::RSEQ,
            cpus = const PercpuRef::CPUS,
            counters = const PercpuRef::COUNTERS,
            shift = const CPU_SHIFT,
            options(nostack),
        );
    }
    added != 0
}

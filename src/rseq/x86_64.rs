//! The sequences for x86-64 Linux with glibc.
//!
//! On this processor every load is an acquire and every store is a release. No sequence needs more.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32};

use super::{CPU_SHIFT, GAVE_UP, Head, Taken};
use crate::sys::errno;
use crate::sys::weak::weak;

/// The offset of a thread's rseq area from its thread pointer. It is the same in every thread.
#[derive(Clone, Copy)]
pub(crate) struct Area(isize);

const UNDECIDED: isize = 0;
/// Stands for a process without sequences. No area has this offset, because areas are aligned.
const NONE: isize = 1;
static OFFSET: AtomicIsize = AtomicIsize::new(UNDECIDED);

/// The number of CPUs that get a counter. Zero until the first percpu reference.
static CPUS: AtomicU32 = AtomicU32::new(0);

/// No machine has more CPUs. If the system says a larger number, no CPU gets a counter.
const MOST_CPUS: u32 = 1 << 16;

/// The number of restarts after which a sequence gives up.
const RESTARTS: u32 = 64;

impl Area {
    /// The area, if a writer has decided that the process uses sequences. For readers: this is fast.
    #[inline(always)]
    pub(crate) fn known() -> Option<Self> {
        // Relaxed: no other data depends on the offset.
        let offset = OFFSET.load(Relaxed);
        (offset as usize > NONE as usize).then_some(Self(offset))
    }

    /// The area, if the process uses sequences. If nobody has decided that yet, this call does. A
    /// writer calls this function before it writes.
    pub(crate) fn decided() -> Option<Self> {
        if OFFSET.load(Relaxed) == UNDECIDED {
            let offset = look().unwrap_or(NONE);
            // If two threads come here together, the first decision is valid for both.
            let _ = OFFSET.compare_exchange(UNDECIDED, offset, Relaxed, Relaxed);
        }
        Self::known()
    }

    /// The area for an offset from [`keep`](Self::keep); `None` for zero.
    #[inline(always)]
    pub(crate) fn kept(offset: isize) -> Option<Self> {
        (offset != UNDECIDED).then_some(Self(offset))
    }

    /// The offset of the area, which a slot or a percpu reference keeps.
    pub(crate) fn keep(self) -> isize {
        self.0
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
        let cpu: i32;
        // SAFETY: every thread of the process has an area at this offset.
        unsafe {
            asm!("mov {cpu:e}, fs:[{area} + 4]", area = in(reg) self.0, cpu = out(reg) cpu,
                 options(nostack, readonly, preserves_flags));
        }
        cpu >= 0 && !kernel_denies()
    }
}

/// Whether the kernel says that the calling thread is not registered, although its area may look so: the
/// thread was made by a clone that glibc does not know of.
///
/// Asks the kernel to register an area at an address that is not the program's. The kernel never does, and
/// its error tells: EINVAL for a thread that has an area already, EFAULT for a thread that has none.
fn kernel_denies() -> bool {
    const SIZE: usize = 32;
    let no_address = usize::MAX - (SIZE - 1);
    errno::preserved(|| {
        // SAFETY: the kernel refuses this address, and so changes nothing.
        let result = unsafe { libc::syscall(libc::SYS_rseq, no_address, SIZE, 0_usize, 0_usize) };
        result < 0 && errno::get() == libc::EFAULT
    })
}

/// The offset of the area; `None` if glibc has not registered the main thread, or the kernel cannot
/// fence.
fn look() -> Option<isize> {
    let offset: *const isize = weak!("__rseq_offset").cast();
    let size: *const u32 = weak!("__rseq_size").cast();
    // SAFETY: null, or the variables of glibc, which glibc sets before any constructor runs.
    let (offset, size) = unsafe { (*offset.as_ref()?, *size.as_ref()?) };
    if size == 0 {
        return None;
    }
    membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ).then_some(offset)
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
    membarrier(PRIVATE_EXPEDITED_RSEQ)
        || membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ)
}

/// The beginning of a sequence. Emits the descriptor, for a sequence from label 2 to label 3 with its
/// abort handler at label 4, and stores the descriptor's address in the area.
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

/// The exit of a sequence: clears the area's pointer. Does not change the processor's flags.
macro_rules! leave {
    () => {
        "mov qword ptr fs:[{area} + 8], 0"
    };
}

/// The beginning of the abort handler, in subsection 1: after the functions of the section that contains
/// the sequence. The kernel checks that the four bytes before the handler are the signature that glibc
/// has registered. Here they are the end of an undefined instruction, so that a processor that reaches
/// them by mistake stops.
macro_rules! abort_handler {
    () => {
        concat!(".subsection 1\n", ".byte 0x0f, 0xb9, 0x3d\n", ".long 0x53053053\n", "4:",)
    };
}

impl Area {
    /// Takes a reference on the object that `slot` publishes: loads the pointer, and increments the
    /// count, which is the object's first word. There is never a fence between the two.
    ///
    /// # Safety
    /// The published object begins with a valid count. A writer that replaces the object calls
    /// [`fence`] before it gives the slot's reference back.
    #[inline(always)]
    pub(crate) unsafe fn take<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let object: *mut T;
        let not_alive: u8;
        // SAFETY: the sequence keeps the rules of the folder's first page. It reads the slot, and
        // increments a count that is valid until the increment or a restart, as the caller promises.
        unsafe {
            asm!(
                enter!(),
                "cmp dword ptr fs:[{area} + 4], 0",
                "jl 8f",
                "mov {object}, [{slot}]", // an acquire, like every load of this processor
                "test {object}, {object}",
                "jz 3f",
                "lock inc dword ptr [{object}]", // the commit
                "3:",
                leave!(),
                "setge {not_alive}", // src/count/mod.rs has the table of flags
                abort_handler!(),
                "dec {restarts:e}",
                "jnz 6b",
                "8:",
                leave!(),
                "mov {object:e}, {gave_up}",
                "jmp 9f",
                ".previous",
                "9:",
                area = in(reg) self.0,
                slot = in(reg) slot.as_ptr(),
                object = out(reg) object,
                not_alive = out(reg_byte) not_alive,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                gave_up = const GAVE_UP,
                options(nostack),
            );
        }
        Taken { object, not_alive: not_alive != 0 }
    }

    /// Takes a reference on the percpu reference that `slot` publishes: loads the pointer, and
    /// increments this CPU's counter. There is never a fence between the two. In atomic mode the
    /// sequence gives up.
    ///
    /// # Safety
    /// The published object begins with a valid [`Head`]. The rest is as for [`take`](Self::take) and
    /// [`add`].
    #[inline(always)]
    pub(crate) unsafe fn take_percpu<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let percpu: *mut T;
        // SAFETY: the sequence keeps the rules of the folder's first page. It reads the slot and the
        // published head, which is valid until the addition or a restart, as the caller promises.
        unsafe {
            asm!(
                enter!(),
                "mov {scratch:e}, fs:[{area} + 4]",
                "test {scratch:e}, {scratch:e}", // an unregistered thread must not read the object
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
                "mov {percpu:e}, {gave_up}",
                "jmp 9f",
                ".previous",
                "9:",
                area = in(reg) self.0,
                slot = in(reg) slot.as_ptr(),
                percpu = out(reg) percpu,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                cpus = const offset_of!(Head, cpus),
                counters = const offset_of!(Head, counters),
                shift = const CPU_SHIFT,
                gave_up = const GAVE_UP,
                options(nostack),
            );
        }
        Taken { object: percpu, not_alive: false }
    }
}

/// Adds `n` to this CPU's counter of `percpu`. In atomic mode and after an abort, changes nothing and
/// returns `false`. An abort does not restart this sequence, because its caller can always add to the
/// word instead.
///
/// The assembly reads the members of `percpu`, and not Rust code, because of ThreadSanitizer. A put is
/// announced before it is made, and ThreadSanitizer would report a read of the object after the
/// announcement.
///
/// # Safety
/// The counters exist as long as `cpus` is not zero, and until the fence after `cpus` became zero.
#[inline(always)]
pub(crate) unsafe fn add(percpu: &Head, n: isize) -> bool {
    let mut added = 1_u32;
    // SAFETY: the sequence keeps the rules of the folder's first page. It adds to the counter of the
    // CPU on which it runs. This counter exists, because the CPU's number is less than `cpus`.
    unsafe {
        asm!(
            "mov {area}, [{percpu} + {rseq}]",
            "test {area}, {area}",
            "jz 8f",
            enter!(),
            "mov {scratch:e}, fs:[{area} + 4]",
            "cmp {scratch:e}, [{percpu} + {cpus}]", // unsigned, so a negative number is too large as well
            "jae 4f",
            "shl {scratch}, {shift}",
            "add {scratch}, [{percpu} + {counters}]",
            "add [{scratch}], {n}", // the commit; a release, like every store of this processor
            "3:",
            leave!(),
            abort_handler!(),
            leave!(),
            "8:",
            "xor {added:e}, {added:e}",
            "jmp 9f",
            ".previous",
            "9:",
            percpu = in(reg) ptr::from_ref(percpu),
            n = in(reg) n,
            added = inout(reg) added,
            area = out(reg) _,
            scratch = out(reg) _,
            rseq = const offset_of!(Head, rseq),
            cpus = const offset_of!(Head, cpus),
            counters = const offset_of!(Head, counters),
            shift = const CPU_SHIFT,
            options(nostack),
        );
    }
    added != 0
}

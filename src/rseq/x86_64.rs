//! The sequences, for x86-64 Linux with glibc.
//!
//! On this processor every load acquires and every store releases. No sequence needs more.

use core::arch::asm;
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
/// No offset: not a multiple of the area's alignment.
const NONE: isize = 1;
static OFFSET: AtomicIsize = AtomicIsize::new(UNDECIDED);

/// How many CPUs get a counter of their own. Zero until the first percpu reference.
static CPUS: AtomicU32 = AtomicU32::new(0);

/// No machine has more CPUs; a larger number is a mistake.
const MOST_CPUS: u32 = 1 << 16;

/// After so many restarts a sequence gives up.
const RESTARTS: u32 = 64;

impl Area {
    /// The area, if a writer has decided that the process has sequences. Cheap: readers ask.
    #[inline(always)]
    pub(crate) fn known() -> Option<Self> {
        // Relaxed: no other data depends on the offset.
        let offset = OFFSET.load(Relaxed);
        (offset as usize > NONE as usize).then_some(Self(offset))
    }

    /// The area, if the process has sequences. Decides that, if nobody has yet. Writers ask before they
    /// write.
    pub(crate) fn decided() -> Option<Self> {
        if OFFSET.load(Relaxed) == UNDECIDED {
            let offset = look().unwrap_or(NONE);
            // The first decision counts for the second thread too.
            let _ = OFFSET.compare_exchange(UNDECIDED, offset, Relaxed, Relaxed);
        }
        Self::known()
    }

    /// The area of the offset that a slot keeps.
    #[inline(always)]
    pub(crate) fn kept(offset: isize) -> Option<Self> {
        (offset != UNDECIDED).then_some(Self(offset))
    }

    /// The offset, for a slot to keep.
    pub(crate) fn keep(self) -> isize {
        self.0
    }

    /// How many CPUs get a counter of their own; 0 if the number cannot be found out.
    pub(crate) fn cpus(self) -> u32 {
        // Relaxed: no other data depends on the number. The first number counts for every thread.
        if CPUS.load(Relaxed) == 0 {
            let _ = CPUS.compare_exchange(0, cpus(), Relaxed, Relaxed);
        }
        CPUS.load(Relaxed)
    }

    /// Whether the calling thread is registered.
    pub(crate) fn is_registered(self) -> bool {
        let cpu: i32;
        // SAFETY: every thread of the process has an area. This reads the calling thread's.
        unsafe {
            asm!("mov {cpu:e}, fs:[{area} + 4]", area = in(reg) self.0, cpu = out(reg) cpu,
                 options(nostack, readonly, preserves_flags));
        }
        cpu >= 0
    }
}

/// The offset of the area, if glibc has registered the main thread and the kernel fences.
fn look() -> Option<isize> {
    let offset: *const isize = weak!("__rseq_offset").cast();
    let size: *const u32 = weak!("__rseq_size").cast();
    // SAFETY: null, or glibc's variables, which are set before any constructor runs.
    let (offset, size) = unsafe { (*offset.as_ref()?, *size.as_ref()?) };
    if size == 0 {
        return None;
    }
    membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ).then_some(offset)
}

/// How many CPUs get a counter of their own: as many as the machine is configured for, and at least as
/// many as this thread may use. On a CPU beyond that number a sequence gives up.
fn cpus() -> u32 {
    let mut mask = [0_u64; 128];
    // SAFETY: the mask is as long as the call says. The kernel returns the number of bytes written.
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

/// Restarts every sequence of the process that has not committed, and makes the commits visible.
/// `false` if the kernel refuses.
pub(crate) fn fence() -> bool {
    // A process that was restored from a checkpoint may have to register again.
    membarrier(PRIVATE_EXPEDITED_RSEQ)
        || membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ)
}

/// The descriptor of the sequence from label 2 to label 3, with its abort handler at label 4; and the
/// sequence's beginning, which stores the descriptor's address in the area.
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

/// Every way out of a sequence: clears the area's pointer. Does not change the flags.
macro_rules! leave {
    () => {
        "mov qword ptr fs:[{area} + 8], 0"
    };
}

/// The beginning of the abort handler, in a section of its own. The kernel checks the four bytes before
/// the handler: the signature that glibc has registered, as a part of an undefined instruction.
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
    /// Takes a reference on the object that `slot` publishes: loads the pointer and raises the count at
    /// the object's first word. No fence comes between the two.
    ///
    /// # Safety
    /// The published object begins with a live count. A writer that takes the object down calls [`fence`]
    /// before it gives up the slot's reference.
    #[inline(always)]
    pub(crate) unsafe fn take<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let object: *mut T;
        let not_alive: u8;
        // SAFETY: a sequence as the folder's page demands. It reads the slot, and adds to a count that
        // lives until the addition or a restart, as the caller promises.
        unsafe {
            asm!(
                enter!(),
                "cmp dword ptr fs:[{area} + 4], 0",
                "jl 8f",
                "mov {object}, [{slot}]", // acquires, as every load of this processor
                "test {object}, {object}",
                "jz 3f",
                "lock inc dword ptr [{object}]", // the commit; relaxed is enough for a get
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
                ".popsection",
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

    /// Takes a reference on the percpu reference that `slot` publishes, if it counts per CPU: loads the
    /// pointer and adds to this CPU's counter. No fence comes between the two.
    ///
    /// # Safety
    /// The published object begins with a live [`Head`]. The rest is as for [`take`](Self::take) and
    /// [`add`].
    #[inline(always)]
    pub(crate) unsafe fn take_percpu<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let percpu: *mut T;
        // SAFETY: a sequence as the folder's page demands. It reads the slot and the published head,
        // which lives until the addition or a restart, as the caller promises.
        unsafe {
            asm!(
                enter!(),
                "mov {scratch:e}, fs:[{area} + 4]",
                "test {scratch:e}, {scratch:e}", // an unregistered thread may not even read the object
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
                ".popsection",
                "9:",
                area = in(reg) self.0,
                slot = in(reg) slot.as_ptr(),
                percpu = out(reg) percpu,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                cpus = const Head::CPUS,
                counters = const Head::COUNTERS,
                shift = const CPU_SHIFT,
                gave_up = const GAVE_UP,
                options(nostack),
            );
        }
        Taken { object: percpu, not_alive: false }
    }
}

/// Adds `n` to this CPU's counter of `percpu`; `false`, and nothing done, if the reference counts
/// atomically, or after an abort. No restart: the atomic way is right too.
///
/// The sequence itself reads the members of `percpu`. ThreadSanitizer, to which a put was announced
/// already, must not see a read of the object after the put.
///
/// # Safety
/// The counters exist for as long as `cpus` is not zero, and for as long as a sequence may have read
/// `cpus` before.
#[inline(always)]
pub(crate) unsafe fn add(percpu: &Head, n: isize) -> bool {
    let mut added = 1_u32;
    // SAFETY: a sequence as the folder's page demands. It adds to the counter of the CPU that it runs
    // on. The counter exists, because the CPU is one of the first `cpus`.
    unsafe {
        asm!(
            "mov {area}, [{percpu} + {rseq}]",
            "test {area}, {area}",
            "jz 8f",
            enter!(),
            "mov {scratch:e}, fs:[{area} + 4]",
            "cmp {scratch:e}, [{percpu} + {cpus}]", // unsigned: also fails for a negative number
            "jae 4f",
            "shl {scratch}, {shift}",
            "add {scratch}, [{percpu} + {counters}]",
            "add [{scratch}], {n}", // the commit; a release, as every store of this processor
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
            rseq = const Head::RSEQ,
            cpus = const Head::CPUS,
            counters = const Head::COUNTERS,
            shift = const CPU_SHIFT,
            options(nostack),
        );
    }
    added != 0
}

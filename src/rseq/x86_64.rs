//! The sequences for x86-64.
//!
//! On this processor every load is an acquire and every store is a release. No sequence needs more.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicPtr;

use super::{Area, CACHED, CPU_SHIFT, Cached, CpuCache, GAVE_UP, Head, RESTARTS, Taken};

/// The number of the CPU on which the calling thread runs; negative if the thread is not registered.
pub(super) fn cpu(area: Area) -> i32 {
    let cpu: i32;
    // SAFETY: every thread of the process has an area at this offset.
    unsafe {
        asm!("mov {cpu:e}, fs:[{area} + 4]", area = in(reg) area.0, cpu = out(reg) cpu,
             options(nostack, readonly, preserves_flags));
    }
    cpu
}

#[cfg(target_env = "musl")]
pub(super) fn thread_pointer() -> isize {
    let pointer;
    // SAFETY: the thread pointer points to itself.
    unsafe {
        asm!("mov {}, fs:0", out(reg) pointer, options(nostack, pure, readonly, preserves_flags))
    };
    pointer
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

    /// Takes the number from this CPU's cache that was pushed last. `caches` is the cache of CPU 0. Gives up after
    /// an abort, because the caller can take a number from elsewhere. Orders nothing: see the first page.
    ///
    /// # Safety
    /// There are caches for `cpus` CPUs, at the distance that [`CPU_SHIFT`] says.
    #[inline(always)]
    pub(crate) unsafe fn pop(self, caches: NonNull<CpuCache>, cpus: u32) -> Cached<u32> {
        let number: u32;
        // SAFETY: the sequence keeps the rules of the folder's first page. It accesses the cache of the CPU on
        // which it runs. This cache exists, because the CPU's number is less than `cpus`.
        unsafe {
            asm!(
                enter!(),
                "mov {at:e}, fs:[{area} + 4]",
                "cmp {at:e}, {cpus:e}", // unsigned, so a negative number is too large as well
                "jae 4f",
                "shl {at}, {shift}",
                "mov {number:e}, [{caches} + {at}]",
                "test {number:e}, {number:e}",
                "jz 3f",
                "lea {scratch:e}, [{number:r} - 1]",
                "add {at}, {caches}",
                "mov {number:e}, [{at} + 4*{number:r}]",
                "mov [{at}], {scratch:e}", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "mov {number:e}, {gave_up}",
                "jmp 9f",
                ".previous",
                "9:",
                area = in(reg) self.0,
                caches = in(reg) caches.as_ptr(),
                cpus = in(reg) cpus,
                number = out(reg) number,
                at = out(reg) _,
                scratch = out(reg) _,
                shift = const CPU_SHIFT,
                gave_up = const GAVE_UP,
                options(nostack),
            );
        }
        Cached::popped(number)
    }

    /// Puts a number, which is at least 2, on this CPU's cache. The rest is as for [`pop`](Self::pop).
    ///
    /// # Safety
    /// As for [`pop`](Self::pop).
    #[inline(always)]
    pub(crate) unsafe fn push(
        self,
        caches: NonNull<CpuCache>,
        cpus: u32,
        number: u32,
    ) -> Cached<()> {
        let count: u32;
        // SAFETY: as in `pop`. The first store is behind the cache's numbers, where nobody reads.
        unsafe {
            asm!(
                enter!(),
                "mov {at:e}, fs:[{area} + 4]",
                "cmp {at:e}, {cpus:e}",
                "jae 4f",
                "shl {at}, {shift}",
                "add {at}, {caches}",
                "mov {count:e}, [{at}]",
                "inc {count:e}",
                "cmp {count:e}, {most}",
                "ja 3f",
                "mov [{at} + 4*{count:r}], {number:e}",
                "mov [{at}], {count:e}", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "xor {count:e}, {count:e}",
                "jmp 9f",
                ".previous",
                "9:",
                area = in(reg) self.0,
                caches = in(reg) caches.as_ptr(),
                cpus = in(reg) cpus,
                number = in(reg) number,
                count = out(reg) count,
                at = out(reg) _,
                scratch = out(reg) _,
                shift = const CPU_SHIFT,
                most = const CACHED,
                options(nostack),
            );
        }
        Cached::pushed(count)
    }
}

/// Subtracts `n` from this CPU's counter of `percpu`. A release. The rest is as for [`add`].
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub(crate) unsafe fn sub(percpu: &Head, n: isize) -> bool {
    // SAFETY: as promised. The addition is a release on this processor.
    unsafe { add(percpu, -n) }
}

/// `asm!` with the offset of the thread's area in `area`, which the percpu reference keeps; 0 if it has no counters.
#[cfg(not(target_env = "musl"))]
macro_rules! asm_with_area {
    ($($asm:tt)*) => {
        asm!("mov {area}, [{percpu} + {rseq}]", $($asm)* area = out(reg) _,
             rseq = const offset_of!(Head, rseq), options(nostack))
    };
}

/// `asm!` with the offset of the thread's area in `area`; 0 if the process has no sequences.
#[cfg(target_env = "musl")]
macro_rules! asm_with_area {
    ($($asm:tt)*) => {
        asm!($($asm)* area = in(reg) Area::known().map_or(0, |area| area.0), options(nostack))
    };
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
        asm_with_area!(
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
            scratch = out(reg) _,
            cpus = const offset_of!(Head, cpus),
            counters = const offset_of!(Head, counters),
            shift = const CPU_SHIFT,
        );
    }
    added != 0
}

//! The sequences for 64-bit RISC-V.
//!
//! This processor orders few accesses by itself. So each acquire and each release is a `fence`, and the reason
//! stands beside it. models/riscv64-*.litmus show for each what happens without it.
//!
//! A conditional branch reaches 4 KiB here. If that is not enough, the assembler makes two instructions of it,
//! which reach 1 MiB. rustc gives each function a section of its own, so subsection 1 is within reach.

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
        asm!("add {at}, {area}, tp", "lw {cpu}, 4({at})",
             area = in(reg) area.0, at = out(reg) _, cpu = lateout(reg) cpu,
             options(nostack, readonly, preserves_flags));
    }
    cpu
}

/// The beginning of a sequence. Emits the descriptor, for a sequence from label 2 to label 3 with its
/// abort handler at label 4. Makes the address of the thread's area of its offset, and stores the
/// descriptor's address there.
macro_rules! enter {
    () => {
        concat!(
            ".pushsection .data.rel.ro, \"aw\", @progbits\n",
            ".balign 32\n",
            "7: .4byte 0, 0\n",
            ".8byte 2f, 3f - 2f, 4f\n",
            ".popsection\n",
            "add {area}, {area}, tp\n",
            "6: lla {scratch}, 7b\n",
            "sd {scratch}, 8({area})\n",
            "2:",
        )
    };
}

/// The exit of a sequence: clears the area's pointer.
macro_rules! leave {
    () => {
        "sd zero, 8({area})"
    };
}

/// The beginning of the abort handler, in subsection 1: after the function that contains the sequence. The
/// kernel checks that the four bytes before the handler are the signature that glibc has registered. They are
/// `csrw mhartid, zero`, which stops a processor that reaches them by mistake.
macro_rules! abort_handler {
    () => {
        concat!(".subsection 1\n", ".balign 4\n", ".4byte 0xf1401073\n", "4:",)
    };
}

impl Area {
    /// Takes a reference on the object that `slot` publishes: loads the pointer, and increments the
    /// count, which is the object's first word. There is never a fence between the two.
    ///
    /// # Safety
    /// The published object begins with a valid count. A writer that replaces the object calls
    /// [`fence`](super::fence) before it gives the slot's reference back.
    #[inline(always)]
    pub(crate) unsafe fn take<T>(self, slot: &AtomicPtr<T>) -> Taken<T> {
        let object: *mut T;
        let old: i32;
        // SAFETY: the sequence keeps the rules of the folder's first page. It reads the slot, and
        // increments a count that is valid until the increment or a restart, as the caller promises.
        unsafe {
            asm!(
                enter!(),
                "lw {scratch}, 4({area})",
                "bltz {scratch}, 8f",
                "ld {object}, 0({slot})",
                // Acquire: pairs with the release of the exchange that published the object. So the reader
                // sees everything that was done before.
                "fence r, rw",
                "beqz {object}, 3f",
                "amoadd.w {old}, {one}, ({object})", // the commit; relaxed
                "3:",
                leave!(),
                abort_handler!(),
                "addi {restarts}, {restarts}, -1",
                "bnez {restarts}, 6b",
                "8:",
                leave!(),
                "li {object}, {gave_up}",
                "j 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
                slot = in(reg) slot.as_ptr(),
                one = in(reg) 1,
                object = out(reg) object,
                old = out(reg) old,
                restarts = inout(reg) RESTARTS => _,
                scratch = out(reg) _,
                gave_up = const GAVE_UP,
                options(nostack),
            );
        }
        Taken { object, not_alive: old >= -1 } // src/count/mod.rs has the table of stored values
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
                "lw {cpu}, 4({area})",
                "bltz {cpu}, 8f", // an unregistered thread must not read the object
                "ld {percpu}, 0({slot})",
                "beqz {percpu}, 3f",
                // The address of `cpus` is the result of the load above. So this load is after it, and one
                // fence is the acquire of both.
                "lw {scratch}, {cpus}({percpu})",
                "bgeu {cpu}, {scratch}, 8f",
                "fence r, rw", // an acquire: see `add`
                "ld {scratch}, {counters}({percpu})",
                "slli {cpu}, {cpu}, {shift}",
                "add {cpu}, {cpu}, {scratch}",
                "ld {scratch}, 0({cpu})",
                "addi {scratch}, {scratch}, 1",
                "sd {scratch}, 0({cpu})", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                "addi {restarts}, {restarts}, -1",
                "bnez {restarts}, 6b",
                "8:",
                leave!(),
                "li {percpu}, {gave_up}",
                "j 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
                slot = in(reg) slot.as_ptr(),
                percpu = out(reg) percpu,
                cpu = out(reg) _,
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
                "lw {at}, 4({area})",
                "bgeu {at}, {cpus}, 4f", // unsigned, so a negative number is too large as well
                "slli {at}, {at}, {shift}",
                "add {at}, {at}, {caches}",
                "lw {number}, 0({at})",
                "beqz {number}, 3f",
                "addi {scratch}, {number}, -1",
                "slli {number}, {number}, 2",
                "add {number}, {number}, {at}",
                "lw {number}, 0({number})",
                "sw {scratch}, 0({at})", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "li {number}, {gave_up}",
                "j 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
                caches = in(reg) caches.as_ptr(),
                cpus = in(reg) cpus as usize,
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
                "lw {at}, 4({area})",
                "bgeu {at}, {cpus}, 4f",
                "slli {at}, {at}, {shift}",
                "add {at}, {at}, {caches}",
                "lw {count}, 0({at})",
                "addi {count}, {count}, 1",
                "li {scratch}, {most}",
                "bltu {scratch}, {count}, 3f",
                "slli {scratch}, {count}, 2",
                "add {scratch}, {scratch}, {at}",
                "sw {number}, 0({scratch})",
                "sw {count}, 0({at})", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "li {count}, 0",
                "j 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
                caches = in(reg) caches.as_ptr(),
                cpus = in(reg) cpus as usize,
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

/// The sequence of [`add`] and [`sub`]: `$operation` changes the counter, and `$release` is before the commit.
macro_rules! change {
    ($percpu:expr, $n:expr, $operation:literal, $release:literal) => {{
        let mut changed = 1_u32;
        asm!(
            "ld {area}, {rseq}({percpu})",
            "beqz {area}, 8f",
            enter!(),
            "lw {cpu}, 4({area})",
            "lw {scratch}, {cpus}({percpu})",
            // Unsigned, so a negative number is too large as well.
            "bgeu {cpu}, {scratch}, 4f",
            // Acquire: pairs with the release of `go_percpu`. A thread that has changed a counter, and then
            // reads the word, sees that the word is not the whole count.
            "fence r, rw",
            "ld {scratch}, {counters}({percpu})",
            "slli {cpu}, {cpu}, {shift}",
            "add {cpu}, {cpu}, {scratch}",
            "ld {scratch}, 0({cpu})",
            $operation,
            $release,
            "sd {scratch}, 0({cpu})", // the commit
            "3:",
            leave!(),
            abort_handler!(),
            leave!(),
            "8:",
            "li {changed}, 0",
            "j 9f",
            ".previous",
            "9:",
            percpu = in(reg) ptr::from_ref($percpu),
            n = in(reg) $n,
            changed = inout(reg) changed,
            area = out(reg) _,
            cpu = out(reg) _,
            scratch = out(reg) _,
            rseq = const offset_of!(Head, rseq),
            cpus = const offset_of!(Head, cpus),
            counters = const offset_of!(Head, counters),
            shift = const CPU_SHIFT,
            options(nostack),
        );
        changed != 0
    }};
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
    // SAFETY: the sequence keeps the rules of the folder's first page. It adds to the counter of the
    // CPU on which it runs. This counter exists, because the CPU's number is less than `cpus`.
    unsafe {
        // Relaxed: a get orders nothing.
        change!(percpu, n, "add {scratch}, {scratch}, {n}", "")
    }
}

/// Subtracts `n` from this CPU's counter of `percpu`. A release. The rest is as for [`add`].
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub(crate) unsafe fn sub(percpu: &Head, n: isize) -> bool {
    // SAFETY: as in `add`.
    unsafe {
        // Release: the thread that kills the percpu reference sees this subtraction after its fence. The
        // thread must also see what was done to the object before. Linux's membarrier() orders that, too, but
        // its manual promises only that the sequences have ended.
        change!(percpu, n, "sub {scratch}, {scratch}, {n}", "fence rw, w")
    }
}

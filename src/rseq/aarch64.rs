//! The sequences for 64-bit Arm.
//!
//! This processor orders few accesses by itself. So each acquire and each release is an instruction, and the
//! reason stands beside it. models/aarch64-*.litmus show for each what happens without it.
//!
//! A conditional branch reaches 1 MiB here, `tbz` only 32 KiB. rustc gives each function a section of its own,
//! so subsection 1 is at the end of the function, within 1 MiB.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicPtr};

use super::{Area, CACHED, CPU_SHIFT, Cached, CpuCache, GAVE_UP, Head, RESTARTS, Taken};

/// Whether the processor has the atomic instructions of LSE (Armv8.1). Until somebody has looked: `false`,
/// with which the sequences are right on every processor.
static LSE: AtomicBool = AtomicBool::new(cfg!(target_feature = "lse"));

pub(super) fn look_for_lse() {
    // SAFETY: getauxval may always be called.
    let lse = unsafe { libc::getauxval(libc::AT_HWCAP) } & libc::HWCAP_ATOMICS != 0;
    // Relaxed: no other data depends on it.
    LSE.store(lse, Relaxed);
}

fn has_lse() -> bool {
    cfg!(target_feature = "lse") || LSE.load(Relaxed)
}

/// The number of the CPU on which the calling thread runs; negative if the thread is not registered.
pub(super) fn cpu(area: Area) -> i32 {
    let cpu: i32;
    // SAFETY: every thread of the process has an area at this offset.
    unsafe {
        asm!("mrs {at}, tpidr_el0", "add {at}, {at}, {area}", "ldr {cpu:w}, [{at}, #4]",
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
            ".pushsection .data.rel.ro, \"aw\", %progbits\n",
            ".balign 32\n",
            "7: .word 0, 0\n",
            ".quad 2f, 3f - 2f, 4f\n",
            ".popsection\n",
            "mrs {scratch}, tpidr_el0\n",
            "add {area}, {area}, {scratch}\n",
            "6: adrp {scratch}, 7b\n",
            "add {scratch}, {scratch}, :lo12:7b\n",
            "str {scratch}, [{area}, #8]\n",
            "2:",
        )
    };
}

/// The exit of a sequence: clears the area's pointer. Does not change the processor's flags.
macro_rules! leave {
    () => {
        "str xzr, [{area}, #8]"
    };
}

/// The beginning of the abort handler, in subsection 1: after the function that contains the sequence. The
/// kernel checks that the instruction before the handler is the signature that glibc has registered, a
/// `brk`, which stops a processor that reaches it by mistake. `.inst` and not `.word`, because code is
/// little-endian on a big-endian machine, too.
///
/// The kernel lets an aborted thread return to the handler. This is no indirect branch, so the handler needs
/// no landing pad (BTI): inside a sequence PSTATE.BTYPE is 0, as no indirect branch leads there.
macro_rules! abort_handler {
    () => {
        concat!(".subsection 1\n", ".inst 0xd428bc00\n", "4:",)
    };
}

/// The sequence of [`Area::take`], with `$commit` to increment the count.
macro_rules! take {
    ($area:expr, $slot:expr, [$($commit:literal),+], $($more:tt)*) => {{
        let object;
        let old: i32;
        asm!(
            enter!(),
            "ldr {scratch:w}, [{area}, #4]",
            "cmp {scratch:w}, #0",
            "b.lt 8f",
            // Acquire: pairs with the release of the exchange that published the object. So the reader sees
            // everything that was done before.
            "ldar {object}, [{slot}]",
            "cbz {object}, 5f",
            $($commit,)+
            "5:",
            leave!(),
            abort_handler!(),
            "sub {restarts:w}, {restarts:w}, #1",
            "cbz {restarts:w}, 8f",
            "b 6b",
            "8:",
            leave!(),
            "mov {object}, {gave_up}",
            "b 9f",
            ".previous",
            "9:",
            area = inout(reg) $area.0 => _,
            slot = in(reg) $slot.as_ptr(),
            object = out(reg) object,
            old = out(reg) old,
            restarts = inout(reg) RESTARTS => _,
            scratch = out(reg) _,
            gave_up = const GAVE_UP,
            $($more)*
            options(nostack),
        );
        (object, old)
    }};
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
        // The increment is relaxed: the load of the pointer has the acquire.
        // SAFETY: the sequence keeps the rules of the folder's first page. It reads the slot, and
        // increments a count that is valid until the increment or a restart, as the caller promises.
        let (object, old): (*mut T, i32) = unsafe {
            if has_lse() {
                take!(self, slot, [
                    ".arch_extension lse",
                    "ldadd {one:w}, {old:w}, [{object}]", // the commit
                    "3:"
                ], one = in(reg) 1,)
            } else {
                // The sequence ends with the store, and not behind a loop around it: an abort between a store
                // that has succeeded and the end of the loop would increment twice. A store that fails has
                // stored nothing, so the thread begins again.
                take!(self, slot, [
                    "ldxr {old:w}, [{object}]",
                    "add {scratch:w}, {old:w}, #1",
                    "stxr {failed:w}, {scratch:w}, [{object}]", // the commit
                    "3:",
                    "cbnz {failed:w}, 6b"
                ], failed = out(reg) _,)
            }
        };
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
                "ldr {cpu:w}, [{area}, #4]",
                "cmp {cpu:w}, #0", // an unregistered thread must not read the object
                "b.lt 8f",
                // No acquire: `cpus` is loaded from the address that this load returns, hence after it, and
                // that load is an acquire.
                "ldr {percpu}, [{slot}]",
                "cbz {percpu}, 3f",
                "add {scratch}, {percpu}, {cpus}",
                "ldar {scratch:w}, [{scratch}]", // an acquire: see `add`
                "cmp {cpu:w}, {scratch:w}",
                "b.hs 8f",
                "ldr {scratch}, [{percpu}, {counters}]",
                "add {cpu}, {scratch}, {cpu}, lsl {shift}",
                "ldr {scratch}, [{cpu}]",
                "add {scratch}, {scratch}, #1",
                "str {scratch}, [{cpu}]", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                "sub {restarts:w}, {restarts:w}, #1",
                "cbz {restarts:w}, 8f",
                "b 6b",
                "8:",
                leave!(),
                "mov {percpu}, {gave_up}",
                "b 9f",
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
                "ldr {at:w}, [{area}, #4]",
                "cmp {at:w}, {cpus:w}", // unsigned, so a negative number is too large as well
                "b.hs 4f",
                "add {at}, {caches}, {at}, lsl {shift}",
                "ldr {number:w}, [{at}]",
                "cbz {number:w}, 3f",
                "sub {scratch:w}, {number:w}, #1",
                "ldr {number:w}, [{at}, {number:x}, lsl #2]",
                "str {scratch:w}, [{at}]", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "mov {number:w}, {gave_up}",
                "b 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
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
                "ldr {at:w}, [{area}, #4]",
                "cmp {at:w}, {cpus:w}",
                "b.hs 4f",
                "add {at}, {caches}, {at}, lsl {shift}",
                "ldr {count:w}, [{at}]",
                "add {count:w}, {count:w}, #1",
                "cmp {count:w}, {most}",
                "b.hi 3f",
                "str {number:w}, [{at}, {count:x}, lsl #2]",
                "str {count:w}, [{at}]", // the commit
                "3:",
                leave!(),
                abort_handler!(),
                leave!(),
                "mov {count:w}, #0",
                "b 9f",
                ".previous",
                "9:",
                area = inout(reg) self.0 => _,
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

/// The sequence of [`add`] and [`sub`]: `$operation` changes the counter, and `$commit` stores it.
macro_rules! change {
    ($percpu:expr, $n:expr, $operation:literal, $commit:literal) => {{
        let mut changed = 1_u32;
        asm!(
            "ldr {area}, [{percpu}, {rseq}]",
            "cbz {area}, 8f",
            enter!(),
            "ldr {cpu:w}, [{area}, #4]",
            // Acquire: pairs with the release of `go_percpu`. A thread that has changed a counter, and then
            // reads the word, sees that the word is not the whole count.
            "add {scratch}, {percpu}, {cpus}",
            "ldar {scratch:w}, [{scratch}]",
            "cmp {cpu:w}, {scratch:w}", // unsigned, so a negative number is too large as well
            "b.hs 4f",
            "ldr {scratch}, [{percpu}, {counters}]",
            "add {cpu}, {scratch}, {cpu}, lsl {shift}",
            "ldr {scratch}, [{cpu}]",
            $operation,
            $commit,
            "3:",
            leave!(),
            abort_handler!(),
            leave!(),
            "8:",
            "mov {changed:w}, #0",
            "b 9f",
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
        change!(percpu, n, "add {scratch}, {scratch}, {n}", "str {scratch}, [{cpu}] // the commit")
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
        change!(percpu, n, "sub {scratch}, {scratch}, {n}", "stlr {scratch}, [{cpu}] // the commit")
    }
}

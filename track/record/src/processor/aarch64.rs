//! 64-bit Arm.

use crate::rules::{Cfa, Rule, Saved};
use crate::stack;

/// A return address without its signature (pointer authentication).
pub fn without_signature(ip: u64) -> u64 {
    let plain;
    // SAFETY: changes x30 only.
    unsafe {
        core::arch::asm!(
            "hint 7", // xpaclri: removes the signature from x30; a processor without signatures does nothing
            inout("x30") ip => plain, options(nomem, nostack, preserves_flags),
        );
    }
    plain
}

/// The body of an entry with this number of arguments: calls `implementation` with these arguments and the address
/// of the entry's [`Frame`](crate::seam::Frame).
macro_rules! enter {
    ($implementation:path, $arguments:literal) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "stp x29, x30, [sp, -16]!",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset x29, -16",
            ".cfi_offset x30, -8",
            "mov x29, sp",
            "mov x{arguments}, sp",
            "bl {implementation}",
            "ldp x29, x30, [sp], 16",
            ".cfi_restore x29",
            ".cfi_restore x30",
            ".cfi_def_cfa_offset 0",
            "ret",
            ".cfi_endproc",
            arguments = const $arguments,
            implementation = sym $implementation,
        )
    };
}
pub(crate) use enter;

/// The thread pointer. The C library's descriptor of this thread ends there.
pub fn thread_pointer() -> usize {
    let address;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!(
            "mrs {0}, tpidr_el0",
            out(reg) address, options(nomem, nostack, preserves_flags),
        );
    }
    address
}

/// The distance of `kref_track_own` from the thread pointer.
pub fn own_offset() -> usize {
    let offset;
    // SAFETY: reads what the loader wrote.
    unsafe {
        core::arch::asm!(
            "adrp {0}, :gottprel:kref_track_own",
            "ldr {0}, [{0}, :gottprel_lo12:kref_track_own]",
            out(reg) offset, options(nostack, readonly, preserves_flags),
        );
    }
    offset
}

/// A system call that leaves errno alone. Returns the kernel's answer: a negative error number, or the result.
///
/// # Safety
/// As for the system call.
pub unsafe fn system_call(number: libc::c_long, arguments: [usize; 4]) -> isize {
    let [first, second, third, fourth] = arguments;
    let answer;
    // SAFETY: the caller's promise. The kernel changes x0 and no other register.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first as isize => answer,
            in("x1") second,
            in("x2") third,
            in("x3") fourth,
            options(nostack),
        );
    }
    answer
}

/// The registers of the code that a signal has interrupted, from the handler's third argument: the address of the
/// instruction, the stack pointer, the frame pointer.
///
/// # Safety
/// `context` is a handler's third argument.
pub unsafe fn interrupted(context: *const libc::c_void) -> [u64; 3] {
    // SAFETY: the caller's promise.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    [registers.pc, registers.sp, registers.regs[29]]
}

/// DWARF's number of the frame pointer, of the stack pointer, and of the return address.
pub mod dwarf {
    /// x29.
    pub const FRAME_POINTER: u64 = 29;
    /// sp.
    pub const STACK_POINTER: u64 = 31;
    /// x30.
    pub const RETURN_ADDRESS: u64 = 30;
}

/// Bytes of a thread's descriptor in glibc, and no more.
pub const DESCRIPTOR: usize = 1664;

/// A place in this thread's descriptor.
pub fn in_descriptor(offset: usize) -> usize {
    thread_pointer().wrapping_sub(offset)
}

/// A moment for another thread.
pub fn pause() {
    core::hint::spin_loop();
}

/// The rule for code without unwinding tables: frame pointers.
pub fn without_tables() -> Rule {
    Rule { cfa: Cfa::Fp(16), fp: Saved::AtCfa(-16), ip: Saved::AtCfa(-8), is_signal: false }
}

/// Where the kernel's struct rt_sigframe has the register x0: behind struct siginfo, the front of struct ucontext,
/// and the address of the fault.
const SIGNAL_REGISTERS: i64 = 128 + 176 + 8;
/// Where a signal's frame has the register of the return address.
pub const SIGNAL_LINK: Option<u64> = Some(SIGNAL_REGISTERS as u64 + 8 * 30);

/// The rule for the code that ends a signal handler, if a return address is in it. The unwinding tables have no rule,
/// or one for the frame pointer alone.
pub fn signal_rule(ip: u64) -> Option<Rule> {
    // mov x8, 139; svc 0
    const CODE: [u32; 2] = [0xd280_1168, 0xd400_0001];
    if !ip.is_multiple_of(4) || !stack::is_readable(ip) || !stack::is_readable(ip + 7) {
        return None;
    }
    // SAFETY: readable.
    let code = unsafe { (ip as *const [u32; 2]).read_volatile() };
    (code == CODE).then_some(Rule {
        cfa: Cfa::AtSp(SIGNAL_REGISTERS + 8 * 31),
        fp: Saved::AtSp(SIGNAL_REGISTERS + 8 * 29),
        ip: Saved::AtSp(SIGNAL_REGISTERS + 8 * 32),
        is_signal: true,
    })
}

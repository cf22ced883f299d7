//! x86-64.

use framehop::x86_64::UnwindRegsX86_64;
pub use framehop::x86_64::{CacheX86_64 as Cache, UnwinderX86_64 as Unwinder};

use crate::seam::Caller;

/// The registers of a walk.
pub type Registers = UnwindRegsX86_64;

/// The registers with which a walk begins.
pub fn registers(caller: Caller) -> Registers {
    Registers::new(caller.ip, caller.sp, caller.fp)
}

/// The frame pointer of a walk.
pub fn frame_pointer(registers: &Registers) -> u64 {
    registers.bp()
}

/// The body of an entry with so many arguments: calls `implementation` with these arguments and the address
/// of the entry's [`Frame`](crate::seam::Frame).
macro_rules! enter {
    ($implementation:path, $arguments:literal) => {
        std::arch::naked_asm!(
            ".cfi_startproc",
            "push rbp",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset rbp, -16",
            "mov rbp, rsp",
            ".if {arguments} == 1; mov rsi, rsp",
            ".elseif {arguments} == 2; mov rdx, rsp",
            ".elseif {arguments} == 3; mov rcx, rsp",
            ".elseif {arguments} == 4; mov r8, rsp",
            ".else; .error \"no register\"",
            ".endif",
            "call {implementation}",
            "pop rbp",
            ".cfi_restore rbp",
            ".cfi_def_cfa_offset 8",
            "ret",
            ".cfi_endproc",
            arguments = const $arguments,
            implementation = sym $implementation,
        )
    };
}
pub(crate) use enter;

/// The thread pointer: the address of the C library's descriptor of this thread.
pub fn thread_pointer() -> usize {
    let address;
    // SAFETY: the descriptor's first word is its own address.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr fs:[0]",
            out(reg) address, options(nostack, readonly, preserves_flags),
        );
    }
    address
}

/// The distance of `kref_track_state` from the thread pointer.
pub fn state_offset() -> usize {
    let offset;
    // SAFETY: reads what the loader wrote.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr [rip + kref_track_state@GOTTPOFF]",
            out(reg) offset, options(nostack, readonly, preserves_flags),
        );
    }
    offset
}

/// Calls `call(argument)` with the stack pointer at `top`.
///
/// # Safety
/// `top` is the end of an unused stack, aligned to 16, and `call` may be called with `argument`.
pub unsafe fn call_on(
    top: usize,
    call: unsafe extern "C" fn(*mut libc::c_void),
    argument: *mut libc::c_void,
) {
    // SAFETY: the stack pointer is as before afterwards, and the call keeps to the C ABI.
    unsafe {
        std::arch::asm!(
            "mov r12, rsp", // `call` does not change r12
            "mov rsp, {top}",
            "call {call}",
            "mov rsp, r12",
            top = in(reg) top,
            call = in(reg) call,
            in("rdi") argument,
            out("r12") _,
            clobber_abi("C"),
        );
    }
}

//! x86-64.

use crate::rules::{Cfa, Rule, Saved};

/// The body of an entry with this number of arguments: calls `implementation` with these arguments and the address
/// of the entry's [`Frame`](crate::seam::Frame).
macro_rules! enter {
    ($implementation:path, $arguments:literal) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "push rbp",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset rbp, -16",
            "mov rbp, rsp",
            ".cfi_def_cfa_register rbp",
            ".if {arguments} == 0; mov rdi, rsp",
            ".elseif {arguments} == 1; mov rsi, rsp",
            ".elseif {arguments} == 2; mov rdx, rsp",
            ".elseif {arguments} == 3; mov rcx, rsp",
            ".elseif {arguments} == 4; mov r8, rsp",
            ".else; .error \"no register\"",
            ".endif",
            "and rsp, -16", // code that was written by hand may call with another alignment
            "call {implementation}",
            "mov rsp, rbp",
            "pop rbp",
            ".cfi_restore rbp",
            ".cfi_def_cfa rsp, 8",
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
        core::arch::asm!(
            "mov {0}, qword ptr fs:[0]",
            out(reg) address, options(nostack, readonly, preserves_flags),
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
            "mov {0}, qword ptr [rip + kref_track_own@GOTTPOFF]",
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
    // SAFETY: the caller's promise. The kernel changes these registers and no other.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            lateout("rcx") _,
            lateout("r11") _,
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
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP].map(|which| registers[which as usize] as u64)
}

/// DWARF's number of the frame pointer, of the stack pointer, and of the return address.
pub mod dwarf {
    /// rbp.
    pub const FRAME_POINTER: u64 = 6;
    /// rsp.
    pub const STACK_POINTER: u64 = 7;
    /// rip.
    pub const RETURN_ADDRESS: u64 = 16;
}

/// A return address without a signature: as it is.
pub fn without_signature(ip: u64) -> u64 {
    ip
}

/// Bytes of a thread's descriptor in glibc, and no more.
pub const DESCRIPTOR: usize = 2048;

/// A place in this thread's descriptor.
pub fn in_descriptor(offset: usize) -> usize {
    thread_pointer().wrapping_add(offset)
}

/// A moment for another thread.
pub fn pause() {
    core::hint::spin_loop();
}

/// The rule for code without unwinding tables: frame pointers.
pub fn without_tables() -> Rule {
    Rule { cfa: Cfa::Fp(16), fp: Saved::AtCfa(-16), ip: Saved::AtCfa(-8), is_signal: false }
}

/// Where a signal's frame has the register of the return address: this processor has none.
pub const SIGNAL_LINK: Option<u64> = None;

/// The rule for the code that ends a signal handler, if a return address is in it: the tables have it.
pub fn signal_rule(_: u64) -> Option<Rule> {
    None
}

//! 64-bit Arm.

pub use framehop::aarch64::{CacheAarch64 as Cache, UnwinderAarch64 as Unwinder};
use framehop::aarch64::{PtrAuthMask, UnwindRegsAarch64};

use crate::seam::Caller;

/// The registers of a walk.
pub type Registers = UnwindRegsAarch64;

/// The registers with which a walk begins.
pub fn registers(caller: Caller) -> Registers {
    let mask = PtrAuthMask(address_bits());
    Registers::new_with_ptr_auth_mask(mask, caller.ip, caller.sp, caller.fp)
}

/// The bits of a return address without its signature (pointer authentication). The kernel's configuration
/// decides how many bits a signature has. So this function removes a signature from the highest address.
fn address_bits() -> u64 {
    const HIGHEST: u64 = u64::MAX >> 9; // bit 55 would make it an address of the kernel
    let mut bits = HIGHEST;
    // SAFETY: changes x30 only.
    unsafe {
        std::arch::asm!(
            "hint 7", // xpaclri: removes the signature from x30; a processor without signatures does nothing
            inout("x30") bits, options(nomem, nostack, preserves_flags),
        );
    }
    bits
}

/// The frame pointer of a walk.
pub fn frame_pointer(registers: &Registers) -> u64 {
    registers.fp()
}

/// The body of an entry with so many arguments: calls `implementation` with these arguments and the address
/// of the entry's [`Frame`](crate::seam::Frame).
macro_rules! enter {
    ($implementation:path, $arguments:literal) => {
        std::arch::naked_asm!(
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
        std::arch::asm!(
            "mrs {0}, tpidr_el0",
            out(reg) address, options(nomem, nostack, preserves_flags),
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
            "adrp {0}, :gottprel:kref_track_state",
            "ldr {0}, [{0}, :gottprel_lo12:kref_track_state]",
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
            "mov x20, sp", // `call` does not change x20
            "mov sp, {top}",
            "blr {call}",
            "mov sp, x20",
            top = in(reg) top,
            call = in(reg) call,
            in("x0") argument,
            out("x20") _,
            clobber_abi("C"),
        );
    }
}

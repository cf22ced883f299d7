//! The edge between C and Rust: finds the place from which C code calls.
//!
//! `edge!(kref_put = at_kref_put, 2)` exports the C function `kref_put`, which has two arguments. The
//! function is a stub of a few instructions. The stub leaves the arguments in their registers, adds a
//! [`CallSite`] as one more argument, and jumps to `at_kref_put`, which returns to the C caller. If
//! there is no free register for the `CallSite`, the stub does not jump, but calls `at_kref_put` and
//! then returns. All other code is plain Rust.
//!
//! Each argument is one word: a pointer, an int or an unsigned long. A function has one to four
//! arguments, or six. In the headers, build.rs declares `kref_put(..)` for `at_kref_put(.., CallSite call)`.
//!
//! If the C compiler has made the call a jump (a tail call), the return address is in the caller of the
//! function that contains the call.

use core::ffi::c_void;
use core::ptr;

use crate::kind::Caller;

/// The place from which C code called an exported function. One word or two, because the stubs pass
/// it in registers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CallSite {
    /// The return address of the call. Null on a processor without a stub.
    address: *const c_void,
    /// The content of the frame pointer register at the call. Any value, if the C code was compiled
    /// without frame pointers.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    frame: *const c_void,
}

impl CallSite {
    /// The call site on a processor without a stub.
    #[allow(dead_code, reason = "only for a processor without a stub")]
    pub(super) const UNKNOWN: Self = Self {
        address: ptr::null(),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
        frame: ptr::null(),
    };
}

impl From<CallSite> for Caller {
    #[inline(always)]
    fn from(call: CallSite) -> Self {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
        // Clears bit 0, which is set in `Caller::RUST` only. A frame pointer is even; but in code
        // without frame pointers the register may have any value.
        let frame = call.frame.map_addr(|frame| frame & !1);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
        let frame = ptr::null();
        Self::code(call.address, frame)
    }
}

/// Exports the C function `name` with `words` arguments. `inner` is the Rust function behind it,
/// which has a [`CallSite`] as its last argument.
macro_rules! edge {
    ($name:ident = $inner:ident, 1) => { $crate::capi::edge::edge!(@ $name, $inner, 1, a); };
    ($name:ident = $inner:ident, 2) => { $crate::capi::edge::edge!(@ $name, $inner, 2, a b); };
    ($name:ident = $inner:ident, 3) => { $crate::capi::edge::edge!(@ $name, $inner, 3, a b c); };
    ($name:ident = $inner:ident, 4) => { $crate::capi::edge::edge!(@ $name, $inner, 4, a b c d); };
    ($name:ident = $inner:ident, 6) => { $crate::capi::edge::edge!(@ $name, $inner, 6, a b c d e f); };
    (@ $name:ident, $inner:ident, $words:literal, $($argument:ident)+) => {
        // Checks the number and the size of the arguments. The assembler cannot do so, because it has
        // no types.
        const _: () = {
            #[allow(non_camel_case_types, reason = "a type for each argument")]
            const fn has_so_many<$($argument,)+ R>(
                _: unsafe extern "C" fn($($argument,)+ $crate::capi::edge::CallSite) -> R,
            ) {
                $(assert!(size_of::<$argument>() <= size_of::<usize>(), "more than a word");)+
            }
            has_so_many($inner);
        };
        $crate::capi::edge::stub! { $name, $inner, $words, $($argument)+ }
    };
}

/// The type of an argument on a processor without a stub.
#[allow(unused_macros, reason = "only for a processor without a stub")]
macro_rules! word(($argument:ident) => (usize));

/// The stub for a processor that has no stub in assembly: the caller is unknown. For the other
/// processors, one of the `stub` macros below replaces this one.
#[allow(unused_macros, reason = "replaced")]
macro_rules! stub {
    ($name:ident, $inner:ident, $words:literal, $($argument:ident)+) => {
        const _: () = {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($argument: usize),+) -> usize {
                // SAFETY: the arguments are words, as `edge` has checked, and so is the result. The C
                // caller guarantees what `inner` demands.
                unsafe {
                    let inner = core::mem::transmute::<
                        *const (),
                        unsafe extern "C" fn($($crate::capi::edge::word!($argument),)+ $crate::capi::edge::CallSite) -> usize,
                    >($inner as *const ());
                    inner($($argument,)+ $crate::capi::edge::CallSite::UNKNOWN)
                }
            }
        };
    };
}

/// A stub in assembly, for a processor that passes the first argument in register number `first`.
/// The stub has a section of its own, so that the linker can leave it out of a program that does not
/// call it.
#[allow(unused_macros, reason = "a processor without a stub")]
macro_rules! assembly {
    ($first:literal, $text:literal, $name:ident, $inner:ident, $words:literal, $($argument:ident)+) => {
        unsafe extern "C" {
            fn $name();
        }
        core::arch::global_asm!(
            ".pushsection .text.{name}, \"ax\", %progbits",
            ".globl {name}",
            ".type {name}, %function",
            "{name}:",
            $text,
            ".size {name}, . - {name}",
            ".popsection",
            // A comment that uses every operand, because rustc refuses an unused one.
            "// {words} {register} {next} {padding}",
            name = sym $name,
            inner = sym $inner,
            words = const $words,
            register = const $first + $words, // the first free register
            next = const $first + $words + 1,
            padding = const (2 - $words as isize).rem_euclid(4) * 4, // aligns x86's stack to 16 bytes
        );
    };
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 0, "
        .cfi_startproc
        endbr64             // indirect calls may land here
    .if {words} == 1;       mov rsi, [rsp]; mov rdx, rbp; jmp {inner} // [rsp]: the return address
    .elseif {words} == 2;   mov rdx, [rsp]; mov rcx, rbp; jmp {inner}
    .elseif {words} == 3;   mov rcx, [rsp]; mov r8, rbp; jmp {inner}
    .elseif {words} == 4;   mov r8, [rsp]; mov r9, rbp; jmp {inner}
    .else                   // no register is free: the CallSite goes on the stack
        sub rsp, 8;         .cfi_adjust_cfa_offset 8
        push rbp;           .cfi_adjust_cfa_offset 8
        push [rsp + 16];    .cfi_adjust_cfa_offset 8
        call {inner}        // rsp is a multiple of 16 here
        add rsp, 24;        .cfi_adjust_cfa_offset -24
        ret
    .endif
        .cfi_endproc
", $($function)* }));

#[cfg(all(target_arch = "aarch64", target_pointer_width = "64", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 0, "
        .cfi_startproc
        hint #34            // bti c: indirect calls may land here
        mov x{register}, x30
        mov x{next}, x29
        b {inner}
        .cfi_endproc
", $($function)* }));

#[cfg(all(target_arch = "riscv64", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 0, "
        .cfi_startproc
        mv a{register}, ra
        mv a{next}, s0
        tail {inner}
        .cfi_endproc
", $($function)* }));

#[cfg(all(target_arch = "powerpc64", target_endian = "little", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 3, "
        .cfi_startproc
        addis 2, 12, .TOC.-{name}@ha    // a call from another module: r12 is the address of {name}
        addi 2, 2, .TOC.-{name}@l       // inner needs r2
        .localentry {name}, . - {name}  // a call from this module: r2 is right
        mflr {register}
        b {inner}                       // to the local entry of inner
        .cfi_endproc
", $($function)* }));

#[cfg(all(target_arch = "s390x", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 2, "
        .cfi_startproc
    .if {words} <= 3
        lgr %r{register}, %r14
        jg {inner}
    .else                   // no register is free: inner returns here, and r6 and r15 are restored
        stmg %r6, %r15, 48(%r15)
        .cfi_offset %r6, -112;          .cfi_offset %r14, -48
        lay %r15, -176(%r15);           .cfi_adjust_cfa_offset 176
    .if {words} == 4
        lgr %r6, %r14
    .else
        mvc 160(8, %r15), 336(%r15)     // the sixth argument, from the C caller's frame
        stg %r14, 168(%r15)
    .endif
        brasl %r14, {inner}
        lmg %r6, %r15, 224(%r15);       .cfi_adjust_cfa_offset -176
        br %r14
    .endif
        .cfi_endproc
", $($function)* }));

#[cfg(all(target_arch = "arm", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 0, "
        .arm                            // the assembler would not mark {name} as Thumb code
        .fnstart                        // unwinders read .fnstart to .fnend, not .cfi_
    .if {words} <= 3
        bic r{register}, lr, #1         // bit 0 is set if the C caller is Thumb code
        b {inner}
    .elseif {words} == 4
        bic r12, lr, #1
        push {{r12, lr}};               .save {{lr}}; .pad #4
        bl {inner}
        pop {{r12, pc}}
    .else
        push {{r4, r5, lr}};            .save {{r4, r5, lr}}
        ldr r4, [sp, #12]               // the fifth argument
        ldr r5, [sp, #16]               // the sixth
        bic r12, lr, #1
        push {{r4, r5, r12}};           .pad #12
        bl {inner}                      // sp is a multiple of 8 here
        add sp, sp, #12
        pop {{r4, r5, pc}}
    .endif
        .fnend
", $($function)* }));

#[cfg(all(target_arch = "x86", kref_assembly))]
macro_rules! stub(($($function:tt)*) => ($crate::capi::edge::assembly! { 0, "
        .cfi_startproc
        sub esp, {padding};                         .cfi_adjust_cfa_offset {padding}
        push [esp + {padding}];                     .cfi_adjust_cfa_offset 4
    .rept {words}           // the last argument first: each push moves the operand down one word
        push [esp + {padding} + 4 + 4 * {words}];   .cfi_adjust_cfa_offset 4
    .endr
        call {inner}        // esp is a multiple of 16 here
        add esp, {padding} + 4 + 4 * {words}
        .cfi_adjust_cfa_offset -({padding} + 4 + 4 * {words})
        ret
        .cfi_endproc
", $($function)* }));

#[allow(unused_imports, reason = "a processor without a stub")]
pub(crate) use {assembly, word};
pub(crate) use {edge, stub};

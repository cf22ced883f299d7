//! The table of functions that libkref calls, as kref.h declares it, and how they are entered.
//!
//! Each entry notes where its caller's frame is before a compiler can move it, so that the walk up
//! the stack begins in libkref and not in the tracker.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// struct kref: to us only an address.
#[repr(C)]
pub struct Kref {
    refs: c_int,
}

/// A release function.
pub type Release = Option<unsafe extern "C" fn(*mut Kref)>;

/// struct kref_violation.
#[repr(C)]
pub struct Violation {
    /// A `KREF_` number of enum kref_violation_kind.
    pub kind: c_int,
    /// The count.
    pub kref: *const c_void,
    /// Where the call was made.
    pub caller: *const c_void,
}

/// struct kref_tracker. The types say that the functions are safe to call with what libkref gives them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Table {
    /// sizeof(struct kref_tracker).
    pub size: usize,
    /// A kref_init() is about to begin an object, of a type whose name may be null.
    pub created: extern "C" fn(*mut Kref, *const c_char) -> c_int,
    /// Before a get.
    pub getting: Option<extern "C" fn(*mut Kref)>,
    /// After a get.
    pub got: extern "C" fn(*mut Kref, c_uint, *const c_char),
    /// Before a put.
    pub putting: extern "C" fn(*mut Kref, Release, c_uint, *const c_char),
    /// The last reference is gone.
    pub released: extern "C" fn(*mut Kref, Release),
    /// After a put.
    pub done: Option<extern "C" fn(*const c_void)>,
    /// Misuse.
    pub violated: extern "C" fn(*const Violation),
    /// kref_track_report().
    pub report: Option<extern "C" fn(c_int)>,
    /// kref_track_checkpoint().
    pub checkpoint: Option<extern "C" fn()>,
}

/// The frame that called an entry, at the moment of the call.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The return address.
    pub ip: u64,
    /// The stack pointer after the return.
    pub sp: u64,
    /// The frame pointer's register, whatever it is used for.
    pub bp: u64,
}

impl Caller {
    /// From the stack pointer at an entry's first instruction, where the return address lies.
    ///
    /// # Safety
    /// `sp` is that stack pointer, and the entry has not returned.
    pub unsafe fn at_entry(sp: *const u64, bp: u64) -> Self {
        // SAFETY: the caller's promise.
        Self { ip: unsafe { sp.read() }, sp: sp as u64 + 8, bp }
    }
}

/// An entry that hands its arguments on with the stack and frame pointers after them.
#[cfg(target_arch = "x86_64")]
macro_rules! enter {
    ($implementation:path, $sp:literal, $bp:literal) => {
        std::arch::naked_asm!(
            concat!("mov ", $sp, ", rsp"),
            concat!("mov ", $bp, ", rbp"),
            "jmp {}",
            sym $implementation,
        )
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use enter;

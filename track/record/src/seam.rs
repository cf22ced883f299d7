//! The table of functions that libkref calls, as kref/track.h declares it, and how they are entered.
//!
//! Each entry is a few instructions (`enter!` of processor/). They make a [`Frame`] that the compiler cannot
//! move, and call the function that does the work. So the walk up the stack begins in libkref and not in the recorder.

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::MaybeUninit;

use crate::processor;

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
    /// A kref_init() or kref_pool_publish() is about to begin an object, of a type whose name may be null.
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
    /// A kref_pool_get() found no object: the pool, the handle, and whether the pool has given it.
    pub missed: Option<extern "C" fn(*mut c_void, u64, c_int)>,
    /// Something happens to a percpu_ref: a number of enum kref_percpu_event.
    pub percpu: extern "C" fn(*mut Kref, c_uint, Release) -> c_int,
    /// The object has too many references to be tracked any further.
    pub let_go: extern "C" fn(*const c_void),
    /// kref_balance_begin() with 1 and a type's name, which may be null; kref_balance_end() with 0.
    pub balance: Option<extern "C" fn(c_int, *const c_char) -> c_uint>,
}

/// The frame of an entry, which `enter!` makes.
#[repr(C)]
pub struct Frame {
    /// The caller's frame pointer.
    fp: u64,
    /// The return address.
    ip: u64,
}

/// The frame that called an entry, at the moment of the call.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The return address.
    pub ip: u64,
    /// The stack pointer after the return.
    pub sp: u64,
    /// The frame pointer's register, whatever it is used for.
    pub fp: u64,
}

impl From<&Frame> for Caller {
    fn from(frame: &Frame) -> Self {
        // SAFETY: a frame. Two loads, each as wide as the store that it waits for: one wide load would wait longer.
        let (ip, fp) = unsafe {
            ((&raw const frame.ip).read_volatile(), (&raw const frame.fp).read_volatile())
        };
        let sp = frame.address() + size_of::<Frame>() as u64;
        Self { ip: processor::without_signature(ip), sp, fp }
    }
}

impl Frame {
    /// Where the frame is. The recorder's frames lie below it.
    pub fn address(&self) -> u64 {
        &raw const *self as u64
    }
}

/// A table that libkref keeps.
pub struct Held(UnsafeCell<MaybeUninit<Table>>);

// SAFETY: written by `hold` alone, which libkref's constructor calls.
unsafe impl Sync for Held {}

impl Held {
    /// Empty.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Keeps `table` until the process ends.
    pub fn hold(&'static self, table: Table) -> *const Table {
        let place = self.0.get().cast::<Table>();
        // SAFETY: the place is for a table. libkref reads the table after this function has returned.
        unsafe { place.write(table) };
        place
    }
}

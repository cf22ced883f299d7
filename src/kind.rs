//! The types for misuse: the kind of a violation, its caller, and the argument of a violation handler.
//!
//! This file has types only, and every module above may use them.

use core::ffi::c_void;
use core::panic::Location;
use core::ptr;

/// The kind of a violation: what the program did wrong with a count.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViolationKind {
    /// A get on an object without references: the object is already being released.
    GetOnZero = 1,
    /// The program took more references than the count can count, or a negative number of references.
    Overflow = 2,
    /// The program gave more references back than it had taken, or a negative number of references.
    PutOnZero = 3,
    /// [`Count::dec`](crate::Count::dec) gave the last reference back, so nobody released the object.
    DecToZero = 4,
    /// The count is saturated: it was misused before, or the memory holds no count.
    Saturated = 5,
    /// The lock for the last put, or for a lookup, could not be taken.
    LockFailed = 6,
    /// A percpu reference was killed a second time.
    KilledTwice = 7,
    /// `percpu_ref_exit`, or a drop, of a percpu reference on which somebody may still hold a reference.
    ExitWhileAlive = 8,
    /// A percpu reference cannot return to life or to percpu mode: it is not dead, somebody holds a
    /// reference, or it was initialised without `ALLOW_REINIT`.
    BadReinit = 9,
    /// The kernel refused the membarrier that a slot or a percpu reference needs. The object leaks.
    NotFenced = 10,
    /// A get or put on zero-filled memory, where nobody has initialised a count.
    NeverInitialised = 11,
    /// A C program published an object of a pool whose count was touched after the allocation, or that was
    /// published before.
    BadPublish = 12,
    /// A C program freed an object of a pool that is alive, that was freed before, or that is not the pool's.
    BadFree = 13,
    /// A pool was destroyed, or a [`Pool`](crate::Pool) dropped, while an object was alive. The memory leaks.
    PoolAlive = 14,
}

/// A violation, as a violation handler receives it.
///
/// The first three members are C's `struct kref_violation`. A call from C code has a return address, a
/// call from Rust code has a location.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Violation {
    /// The kind of the violation.
    pub kind: ViolationKind,
    /// The address of the [`Kref`](crate::Kref), the [`Count`](crate::Count) or the
    /// [`PercpuRef`](crate::PercpuRef). Null if a lookup could not take its lock.
    pub count: *const c_void,
    /// The return address of a call from C. Null for a call from Rust, and if libkref does not know the
    /// address.
    pub caller: *const c_void,
    /// The file and line of a call from Rust. `None` for a call from C, and if a destructor made the
    /// call.
    pub location: Option<&'static Location<'static>>,
    /// The frame pointer at a call from C. The default handler uses it to find the caller's caller.
    pub(crate) frame: *const c_void,
}

/// A violation handler. It receives the violation, and the context that was set together with the
/// handler.
pub type Handler = unsafe extern "C" fn(violation: *const Violation, context: *mut c_void);

/// The caller of an operation. Two words, so that a hot path can pass a caller on in registers.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    /// For C code: the return address, or null if it is not known. For Rust code: a [`Location`].
    address: *const c_void,
    /// For C code: the content of the frame pointer register. For Rust code: [`Self::RUST`].
    frame: *const c_void,
}

impl Caller {
    /// A value that no frame pointer has, because frame pointers are even.
    const RUST: *const c_void = ptr::without_provenance(1);

    /// An unknown caller: Rust does not pass a destructor the location where it runs.
    pub(crate) const UNKNOWN: Self = Self { address: ptr::null(), frame: ptr::null() };

    /// C code, which called an exported function.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) const fn code(address: *const c_void, frame: *const c_void) -> Self {
        Self { address, frame }
    }

    /// Rust code: the caller of the function that calls this one. That function is `#[track_caller]`.
    #[inline(always)]
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Self { address: ptr::from_ref(Location::caller()).cast(), frame: Self::RUST }
    }
}

impl Violation {
    pub(crate) fn new(kind: ViolationKind, count: *const c_void, caller: Caller) -> Self {
        let Caller { address, frame } = caller;
        if frame == Caller::RUST {
            // SAFETY: only `here` makes a `Caller` with this frame. Its address is a `Location`.
            let location = unsafe { address.cast::<Location<'static>>().as_ref() };
            return Self { kind, count, caller: ptr::null(), location, frame: ptr::null() };
        }
        Self { kind, count, caller: address, location: None, frame }
    }
}

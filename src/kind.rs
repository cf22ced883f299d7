//! The words for misuse: what went wrong, who made the call, and what a violation handler receives.
//!
//! Types only. Every module may use them.

use core::ffi::c_void;
use core::panic::Location;
use core::ptr;

/// What went wrong with a count.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A get on an object without references: the object is already being released.
    GetOnZero = 1,
    /// More references than a count can hold.
    Overflow = 2,
    /// More references were given back than were held.
    PutOnZero = 3,
    /// A decrement that must not take the last reference took the last reference. Nobody released
    /// the object.
    DecToZero = 4,
    /// The count was saturated before, or the memory is no count.
    Saturated = 5,
    /// The lock for the last reference, or for a lookup, could not be taken.
    LockFailed = 6,
    /// A percpu reference was killed a second time.
    KilledTwice = 7,
    /// A percpu reference was to be freed while a reference may still be held.
    ExitWhileAlive = 8,
    /// A percpu reference was to begin anew that is alive, held, or made without `ALLOW_REINIT`.
    BadReinit = 9,
    /// The kernel refused the membarrier that a slot or a percpu reference needs.
    NotFenced = 10,
    /// A get or put on a count that nobody has initialised.
    NeverInitialised = 11,
}

/// What a violation handler receives.
///
/// C's `struct kref_violation` is the first three members: C code calls from an address, Rust code
/// from a location.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What went wrong.
    pub kind: Violation,
    /// The address of the count: a [`Kref`](crate::Kref), a [`Count`](crate::Count) or a
    /// [`PercpuRef`](crate::PercpuRef). Null if no object was found.
    pub count: *const c_void,
    /// The return address of the call from C. Null for a call from Rust, and where the processor's
    /// calling convention hides the address.
    pub caller: *const c_void,
    /// The file and line of the call from Rust.
    pub location: Option<&'static Location<'static>>,
    /// The frame pointer at the call from C: one frame more for the default handler.
    pub(crate) frame: *const c_void,
}

/// A violation handler. It receives the report and the context that it was set with.
pub type Handler = unsafe extern "C" fn(report: *const Report, context: *mut c_void);

/// Who called an operation: two words, so that a hot path can pass them on in registers.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    /// C code: the return address, or null if it is not known. Rust code: the [`Location`].
    address: *const c_void,
    /// C code: the frame pointer register, whatever the code keeps there. Rust code: [`Self::RUST`].
    frame: *const c_void,
}

impl Caller {
    /// No frame pointer: frame pointers are even.
    const RUST: *const c_void = ptr::without_provenance(1);

    /// A caller that nobody knows: a destructor, which Rust runs where a variable ends.
    pub(crate) const UNKNOWN: Self = Self { address: ptr::null(), frame: ptr::null() };

    /// C code, which calls through an exported function.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) const fn code(address: *const c_void, frame: *const c_void) -> Self {
        Self { address, frame }
    }

    /// The Rust code that called the function around this call. That function is `#[track_caller]`.
    #[inline(always)]
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Self { address: ptr::from_ref(Location::caller()).cast(), frame: Self::RUST }
    }
}

impl Report {
    pub(crate) fn new(kind: Violation, count: *const c_void, caller: Caller) -> Self {
        let Caller { address, frame } = caller;
        if frame == Caller::RUST {
            // SAFETY: only `here` makes a caller with this frame. Its address is a `Location`.
            let location = unsafe { address.cast::<Location<'static>>().as_ref() };
            return Self { kind, count, caller: ptr::null(), location, frame: ptr::null() };
        }
        Self { kind, count, caller: address, location: None, frame }
    }
}

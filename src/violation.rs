//! The cold path: what went wrong, and who is told.
//!
//! By the time anything here runs the counter is saturated and harmless. Nothing here allocates or
//! takes a lock of ours, so a count may be used, and misused, in a signal handler.

use core::ffi::{c_int, c_void};

use crate::{handler, tracker, warning};

/// What went wrong with a count.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A reference was taken on an object that had none left.
    GetOnZero = 1,
    /// There were more references than the count can hold.
    Overflow = 2,
    /// More references were given back than were held.
    PutOnZero = 3,
    /// A decrement that was not to take the last reference took it: nobody released the object.
    DecToZero = 4,
    /// The count was used again after one of the above.
    Saturated = 5,
    /// The lock for the last reference, or for a lookup, could not be taken.
    LockFailed = 6,
    /// A percpu reference was killed again.
    KilledTwice = 7,
    /// A percpu reference was to be freed while somebody may hold a reference.
    ExitWhileAlive = 8,
    /// A percpu reference was brought back that was not dead, not at zero, or never to come back.
    BadReinit = 9,
    /// The kernel refused the membarrier that a slot or a percpu reference needs.
    NotFenced = 10,
}

/// What a violation handler is told.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What went wrong.
    pub kind: Violation,
    /// The address of the count: a [`Kref`](crate::Kref), a [`Count`](crate::Count) or a
    /// [`PercpuRef`](crate::PercpuRef). Null if there was none.
    pub count: *const c_void,
    /// The return address of the call, in the code that made it. Null where it is not known.
    pub caller: *const c_void,
}

/// Who is told of violations: called with the report and the context it was set with.
pub type Handler = unsafe extern "C" fn(report: *const Report, context: *mut c_void);

/// Sets who is told of violations from now on, and `context` to tell it with. `None`: the default,
/// which writes a line to standard error and obeys `KREF_OPTIONS`.
///
/// # Safety
/// `handler` may be called with `context` by any thread, in a signal handler too, and by a thread
/// that is still in the midst of it after it has been replaced.
pub unsafe fn set_violation_handler(handler: Option<Handler>, context: *mut c_void) {
    handler::set(handler, context);
}

/// Reports `kind` and returns `verdict`, what the operation returns then.
///
/// The operations are inlined into their caller, or into an exported function. There nothing may
/// follow a report, so that it is a jump and [`report_here`] returns straight to the C caller.
#[inline(always)]
pub(crate) fn report<T>(kind: Violation, count: *const T, verdict: bool) -> bool {
    // SAFETY: it returns its last argument.
    unsafe { as_bool(report_here(kind, count.cast(), c_int::from(verdict))) }
}

/// What a call returned that is to be a jump when a C function returns it as an int: knowing it to be
/// 0 or 1, the compiler has nothing to convert after the call.
///
/// # Safety
/// It is 0 or 1.
#[inline(always)]
pub(crate) unsafe fn as_bool(verdict: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { core::hint::assert_unchecked(verdict == 0 || verdict == 1) };
    verdict != 0
}

/// What fits an integer register, and is returned in one.
pub(crate) trait Verdict: Copy {}
impl Verdict for c_int {}
impl<T> Verdict for *mut T {}

/// Reports `kind` with the address that this call returns to, and returns `verdict`: in an
/// optimised build, an address in the code of libkref's user.
#[cfg(target_arch = "x86_64")]
#[cold]
#[unsafe(naked)]
pub(crate) extern "C" fn report_here<V: Verdict>(
    kind: Violation,
    count: *const c_void,
    verdict: V,
) -> V {
    core::arch::naked_asm!(
        "mov rcx, [rsp]", // the return address, as the fourth argument
        "jmp {}",
        sym report_from::<V>,
    )
}

/// Reports `kind`, and returns `verdict`.
#[cfg(not(target_arch = "x86_64"))]
#[cold]
pub(crate) extern "C" fn report_here<V: Verdict>(
    kind: Violation,
    count: *const c_void,
    verdict: V,
) -> V {
    report_from(kind, count, verdict, core::ptr::null())
}

extern "C" fn report_from<V: Verdict>(
    kind: Violation,
    count: *const c_void,
    verdict: V,
    caller: *const c_void,
) -> V {
    tell(&Report { kind, count, caller });
    verdict
}

fn tell(report: &Report) {
    tracker::violated(report);
    match handler::current() {
        // SAFETY: whoever set the handler promised that it may be called with this context.
        Some((handler, context)) => unsafe { handler(report, context) },
        None => warning::warn(report),
    }
}

//! The Linux kernel's `kref` for userspace: saturating reference counts with a C ABI.
//!
//! C programs use this crate as libkref, through `kref.h`. This page is for Rust.
//!
//! An object that is shared, queued, handed to a thread or looked up in a table has several users, and
//! no user knows whether it is the last one. So the object contains a [`Kref`], which is four bytes
//! wide. Three rules decide who frees the object:
//!
//! 1. Take a reference *before* you hand a pointer on. If the hand-over fails, give the reference back.
//! 2. Give your reference back when you are done. The last put releases the object, and nothing else
//!    frees it.
//! 3. If you hold no reference, look the object up and take a reference in one step: under the table's
//!    lock ([`lookup_locked`]), from a slot ([`KrefSlot`]), or by its handle ([`Pool`]).
//!
//! [`Ref`] and [`Slot`] are safe Rust that keeps these rules. [`Kref`] and [`KrefSlot`] are the unsafe
//! types below, for objects that C and Rust share. [`Count`] is the counter alone, the kernel's
//! `refcount_t`. [`PercpuRef`] is for the few objects that all threads use all the time: it counts on
//! each CPU separately. [`PercpuOwner`], [`PercpuHandle`] and [`PercpuSlot`] are its safe forms.
//!
//! A [`Pool`] has objects that a [`Handle`] names. A handle holds no reference. When the object is gone, a
//! lookup by the handle answers `None`. So a handle is a weak reference of 64 bits, which fits into an event
//! loop's user data.
//!
//! In these pages a *get* is an operation that takes a reference, and a *put* is one that gives a
//! reference back.
//!
//! A count that overflows or is misused saturates. Then the object leaks; without saturation, it might
//! be freed while somebody uses it. The [violation](Violation) is reported with the file and line of
//! the call.
//!
//! Every thread may call every function. A signal handler may call the functions of [`Kref`] and
//! [`Count`] that take no lock, the gets and puts of [`PercpuRef`], and the functions of [`Pool`]
//! except its drop. (The last [`PoolRef`] drops the object, so a handler may drop a [`PoolRef`] only if it may
//! drop the object.)

#![cfg_attr(not(loom), no_std)]

#[cfg(not(target_os = "linux"))]
compile_error!("libkref is written for Linux; other systems have not been tried");

// Types are at the bottom of this list, operations at the top. A module uses only modules below it.
#[cfg(feature = "capi")]
pub mod capi;
mod safe;
mod percpu;
mod slot;
mod pool;
#[cfg(feature = "capi")]
mod thread;
mod lookup;
mod kref;
mod count;
mod report;
mod start;
#[cfg(all(loom, test))]
mod models;
#[cfg(not(loom))]
mod load;
mod tracker;
mod options;
mod rseq;
mod kind;
mod sys;

pub use crate::count::{Count, MAX, SATURATED};
pub use crate::kind::{Handler, Violation, ViolationKind};
pub use crate::kref::Kref;
pub use crate::lookup::lookup_locked;
pub use crate::percpu::{
    ALLOW_REINIT, INIT_ATOMIC, INIT_DEAD, InitError, PercpuFn, PercpuRef, PercpuRefSlot,
};
pub use crate::report::set_violation_handler;
pub use crate::rseq::rseq_available;
pub use crate::safe::{
    Handle, PercpuHandle, PercpuOwner, PercpuRefcounted, PercpuSlot, Pool, PoolRef, Ref,
    Refcounted, Slot,
};
pub use crate::slot::KrefSlot;
pub use crate::sys::lock::{PthreadMutex, PthreadSpin, RawLock};
pub use crate::tracker::{PercpuEvent, ReleaseFn, Tracker, set_tracker};

// For fuzz/ alone.
#[cfg(feature = "fuzzing")]
pub use crate::options::obey_options;
#[cfg(feature = "fuzzing")]
pub use crate::report::find_place;

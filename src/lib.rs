//! The Linux kernel's `kref` for userspace: saturating reference counts with a C ABI.
//!
//! C programs use this crate as libkref, through `kref.h`; this page is for Rust.
//!
//! An object that is shared, queued, handed to a thread or looked up in a table has several users, and
//! none of them knows who is the last. The object carries a [`Kref`], four bytes wide. Three rules say
//! who frees it:
//!
//! 1. Take a reference *before* handing a pointer on; give it back if the hand-over fails.
//! 2. Give the reference back when you are done. The last put releases the object, and nothing else
//!    frees it.
//! 3. Without a reference in hand, look up and take one in a single step: under the table's lock
//!    ([`lookup_locked`]), or through a slot ([`KrefSlot`]).
//!
//! [`Ref`] and [`Slot`] make the rules safe Rust. [`Kref`] and [`KrefSlot`] are the raw parts, for
//! objects that C and Rust share. [`Count`] is the counter alone, the kernel's `refcount_t`.
//! [`PercpuRef`] is for the few objects that all threads use all the time: it counts on each CPU
//! separately. [`PercpuOwner`], [`PercpuHandle`] and [`PercpuSlot`] are its safe forms.
//!
//! A count that overflows or is misused saturates: the object leaks, instead of being freed while
//! somebody uses it. A [violation](Violation) is reported with the file and line of the call.
//!
//! Any thread may call every function. A signal handler may call every function on [`Kref`] and
//! [`Count`] that takes no lock, and the gets and puts of [`PercpuRef`].

#![cfg_attr(not(loom), no_std)]

#[cfg(not(target_os = "linux"))]
compile_error!("libkref is written for Linux; other systems have not been tried");

// Words below, acts above. A module uses only modules that stand further down in this list.
#[cfg(feature = "capi")]
pub mod capi;
mod safe;
mod percpu;
mod slot;
#[cfg(feature = "capi")]
mod thread;
mod lookup;
mod kref;
mod count;
mod report;
mod start;
#[cfg(not(loom))]
mod load;
mod tracker;
mod options;
mod rseq;
mod kind;
mod sys;

pub use crate::count::{Count, MAX, SATURATED};
pub use crate::kind::{Handler, Report, Violation};
pub use crate::kref::Kref;
pub use crate::lookup::lookup_locked;
pub use crate::percpu::{
    ALLOW_REINIT, INIT_ATOMIC, INIT_DEAD, InitError, PercpuFn, PercpuRef, PercpuRefSlot,
};
pub use crate::report::set_violation_handler;
pub use crate::rseq::rseq_available;
pub use crate::safe::{
    PercpuHandle, PercpuOwner, PercpuRefcounted, PercpuSlot, Ref, Refcounted, Slot,
};
pub use crate::slot::KrefSlot;
pub use crate::sys::lock::{PthreadMutex, PthreadSpin, RawLock};
pub use crate::tracker::{ReleaseFn, Tracker, set_tracker};

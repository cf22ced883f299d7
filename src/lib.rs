//! The Linux kernel's `kref` for userspace: saturating reference counts with a C ABI.
//!
//! C programs use this crate as libkref, through `kref.h`; this page is for Rust.
//!
//! An object that is shared, queued, handed to a thread or looked up in a table outlives somebody's
//! memory of who owns it. It carries a [`Kref`], four bytes wide, and three rules replace memory:
//!
//! 1. Take a reference *before* handing a pointer on; give it back if the hand-over fails.
//! 2. Give it back when you are done. The last one to do so releases, and nothing else frees.
//! 3. Without a reference in hand, look up and take one in a single step: under the table's lock
//!    ([`lookup_locked`]), or through a slot ([`KrefSlot`]).
//!
//! [`Ref`] and [`Slot`] make the rules safe Rust. [`Kref`] and [`KrefSlot`] are the raw parts, for
//! objects that C and Rust share; [`Count`] is the counter alone, the kernel's `refcount_t`.
//! [`PercpuRef`] is for the few objects that all threads use all the time: it counts on each CPU
//! apart. [`PercpuOwner`], [`PercpuHandle`] and [`PercpuSlot`] are its safe face.
//!
//! A count that overflows, or is misused, saturates: from then on the object leaks instead of being
//! freed in somebody's hands, and a [violation](Violation) is reported.
//!
//! Everything may be called from any thread. What takes no lock may be called in a signal handler,
//! too: everything on [`Kref`] and [`Count`] whose name does not speak of a lock, and the gets and puts
//! of [`PercpuRef`].

#![cfg_attr(not(loom), no_std)]

#[cfg(not(target_os = "linux"))]
compile_error!("libkref is written for Linux; other systems have not been tried");

#[cfg(feature = "capi")]
pub mod capi;
mod count;
mod handler;
mod kref;
mod line;
#[cfg(not(loom))]
mod load;
mod locked;
mod options;
mod owned;
mod percpu;
mod place;
mod pool;
mod rseq;
mod slot;
mod sync;
#[cfg(feature = "capi")]
mod thread;
mod tracker;
mod tsan;
mod violation;
mod warning;
mod weak;

pub use crate::count::{Count, MAX, SATURATED};
pub use crate::kref::Kref;
pub use crate::locked::{PthreadMutex, PthreadSpin, RawLock, lookup_locked};
pub use crate::owned::{Ref, Refcounted, Slot};
pub use crate::percpu::{
    ALLOW_REINIT, INIT_ATOMIC, INIT_DEAD, InitError, PercpuFn, PercpuHandle, PercpuOwner,
    PercpuRef, PercpuRefSlot, PercpuRefcounted, PercpuSlot,
};
pub use crate::rseq::rseq_available;
pub use crate::slot::KrefSlot;
pub use crate::tracker::{ReleaseFn, Tracker, set_tracker};
pub use crate::violation::{Handler, Report, Violation, set_violation_handler};

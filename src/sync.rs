//! The atomics of the core: `core`'s, or loom's when a model is being checked.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize};

pub(crate) use core::sync::atomic::Ordering;

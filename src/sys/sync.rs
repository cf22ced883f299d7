//! The atomics of the core: `core`'s, or loom's in a model.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicI32, AtomicIsize, AtomicPtr, AtomicU32};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicI32, AtomicIsize, AtomicPtr, AtomicU32};

pub(crate) use core::sync::atomic::Ordering;

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// `core`'s cell with the interface of loom's, which fails a model at an access that nothing orders.
#[cfg(not(loom))]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }
}

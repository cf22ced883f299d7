//! A system without sequences. There is never an [`Area`], and a fence has nothing to do.

use core::convert::Infallible;
use core::ptr::NonNull;

use super::{Cached, CpuCache, Head, Taken};
use crate::sys::sync::AtomicPtr;

#[derive(Clone, Copy)]
pub(crate) struct Area(Infallible);

pub(crate) fn fence() -> bool {
    true
}

pub(crate) unsafe fn add(_: &Head, _: isize) -> bool {
    false
}

pub(crate) unsafe fn sub(_: &Head, _: isize) -> bool {
    false
}

impl Area {
    pub(crate) fn known() -> Option<Self> {
        None
    }

    pub(crate) fn decided() -> Option<Self> {
        None
    }

    pub(crate) fn forgo() {}

    pub(crate) fn kept(_: isize) -> Option<Self> {
        None
    }

    pub(crate) fn keep(self) -> isize {
        match self.0 {}
    }

    pub(crate) fn cpus(self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn is_registered(self) -> bool {
        match self.0 {}
    }

    pub(crate) unsafe fn take<T>(self, _: &AtomicPtr<T>) -> Taken<T> {
        match self.0 {}
    }

    pub(crate) unsafe fn take_percpu<T>(self, _: &AtomicPtr<T>) -> Taken<T> {
        match self.0 {}
    }
    pub(crate) unsafe fn pop(self, _: NonNull<CpuCache>, _: u32) -> Cached<u32> {
        match self.0 {}
    }

    pub(crate) unsafe fn push(self, _: NonNull<CpuCache>, _: u32, _: u32) -> Cached<()> {
        match self.0 {}
    }
}

//! Nobody has an area: there is nothing to restart, and nothing to fence. For other processors, other
//! systems, and loom's models.

use core::convert::Infallible;

use super::Taken;
use crate::kref::Kref;
use crate::percpu::PercpuRef;
use crate::sync::AtomicPtr;

#[derive(Clone, Copy)]
pub(crate) struct Area(Infallible);

pub(crate) fn fence() -> bool {
    true
}

pub(crate) unsafe fn add(_: &PercpuRef, _: isize) -> bool {
    false
}

impl Area {
    pub(crate) fn known() -> Option<Self> {
        None
    }

    pub(crate) fn decided() -> Option<Self> {
        None
    }

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

    pub(crate) unsafe fn take(self, _: &AtomicPtr<Kref>) -> Taken<Kref> {
        match self.0 {}
    }

    pub(crate) unsafe fn take_percpu(self, _: &AtomicPtr<PercpuRef>) -> Taken<PercpuRef> {
        match self.0 {}
    }
}

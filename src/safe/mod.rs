//! Safe Rust: owned references and typed slots.
//!
//! [`Ref`] and [`Slot`] are for objects with a [`Kref`](crate::Kref). [`PercpuOwner`], [`PercpuHandle`]
//! and [`PercpuSlot`] are for objects with a [`PercpuRef`](crate::PercpuRef). No other module uses this
//! folder.

mod percpu;
mod reference;

pub use percpu::{PercpuHandle, PercpuOwner, PercpuRefcounted, PercpuSlot};
pub use reference::{Ref, Refcounted, Slot};

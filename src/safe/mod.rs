//! Safe Rust: owned references and typed slots.
//!
//! [`Ref`] and [`Slot`] are for objects with a [`Kref`](crate::Kref). [`PercpuOwner`], [`PercpuHandle`]
//! and [`PercpuSlot`] are for objects with a [`PercpuRef`](crate::PercpuRef). [`Pool`] has objects that a
//! [`Handle`] names. No other module uses this
//! folder.

mod percpu;
mod pool;
mod reference;

pub use percpu::{PercpuHandle, PercpuOwner, PercpuRefcounted, PercpuSlot};
pub use pool::{Handle, Pool, PoolRef};
pub use reference::{Ref, Refcounted, Slot};

/// Makes a type that holds objects of type `T` invariant in `T`: objects go into it and come out of it.
type Invariant<T> = fn(T) -> T;

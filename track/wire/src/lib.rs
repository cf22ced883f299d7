//! What passes between the recorder, which is in the tracked program, and the judge, which is kref-track.
//!
//! | file | what it has |
//! |---|---|
//! | [`head`] | the first page of the shared memory: options, counters, requests and their answers |
//! | [`ring`] | the rings through which records pass |
//! | [`record`] | what a record says |
//!
//! The judge makes the memory, a memfd. The recorder maps it, and keeps no descriptor open. All processes that one
//! judge judges share the memory: a program, its children, and the programs that they execute.
//!
//! ```text
//!  | head: one page | answer | ring 0 | ring 1 | ...
//! ```
//!
//! A process whose address space is limited maps the head, the answer, and as many rings as it can.
//!
//! # Trust
//!
//! The program may be wrong, and may write anywhere, also into this memory. So the judge checks each record, and
//! believes no length and no number.

#![no_std]

#[cfg(any(test, loom))]
extern crate std;

pub mod head;
pub mod record;
pub mod ring;

/// The atomics: loom's in its models.
mod sync {
    #[cfg(not(loom))]
    pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
    #[cfg(loom)]
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

//! The machine: atomics, locks, the environment, standard error, and ThreadSanitizer.
//!
//! Every module of the crate may use this folder. Nothing in this folder knows what a count is.

pub(crate) mod bytes;
pub(crate) mod env;
pub(crate) mod errno;
pub(crate) mod line;
pub(crate) mod lock;
pub(crate) mod striped;
pub(crate) mod sync;
pub(crate) mod tsan;
pub(crate) mod weak;

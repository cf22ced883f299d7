//! The system below libkref: atomics, locks, memory, the environment, standard error, and the tools that may watch
//! the program.
//!
//! Every module of the crate may use this folder. This folder uses no other module.

pub(crate) mod bytes;
pub(crate) mod env;
pub(crate) mod errno;
pub(crate) mod line;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod striped;
pub(crate) mod sync;
pub(crate) mod tsan;
pub(crate) mod watch;
pub(crate) mod weak;

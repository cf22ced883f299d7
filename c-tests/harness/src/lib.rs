//! What the C tests and the benchmarks need: an installed libkref, the C compilers of this machine,
//! and a way to run what they make.

mod build;
mod compiler;
pub mod kref_track;
mod prefix;
mod process;
mod trial;

pub use build::{Library, build};
pub use compiler::{Compiler, Kind, Sanitizer, WARNINGS};
pub use prefix::{Prefix, c_tests, folder, project, scratch, soname, track_soname, version};
pub use process::{Finished, describe, printed, run, spin, valgrind};
pub use trial::{per_compiler, plain, unless_missing};

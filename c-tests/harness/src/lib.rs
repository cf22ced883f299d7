//! The library of the C tests and the benchmarks: an installed libkref, the machine's C compilers,
//! and functions that build and run programs.

mod build;
mod compiler;
pub mod declarations;
pub mod kref_track;
mod prefix;
mod process;
mod trial;

pub use build::{Library, build};
pub use compiler::{Compiler, Kind, Sanitizer, WARNINGS};
pub use prefix::{
    Prefix, c_tests, folder, is_musl, is_quick, is_rest, project, scratch, soname, track_soname,
    version,
};
pub use process::{
    Finished, describe, emulator, make_in, printed, program, run, spin, valgrind,
    without_make_flags,
};
pub use trial::{per_compiler, plain, unless_missing};

//! What the C tests and the benchmarks need: an installed libkref, the C compilers of this machine,
//! and a way to run what they make.

mod compiler;
mod prefix;
mod process;

pub use compiler::{Compiler, Kind, Sanitizer};
pub use prefix::{Prefix, project, scratch};
pub use process::{Finished, run, valgrind};

/// The reason for not running a test, or for failing it: on a CI machine everything must be there.
pub fn missing(what: &str) -> Result<String, String> {
    if std::env::var_os("CI").is_some() {
        return Err(format!("{what}; .ci/run should have installed it"));
    }
    Ok(what.to_string())
}

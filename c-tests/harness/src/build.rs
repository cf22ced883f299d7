//! Compiles a program of c-tests and links it with libkref.

use std::path::Path;

use crate::compiler::Compiler;
use crate::prefix::{Prefix, c_tests};
use crate::process::{describe, run};

/// The library that a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// libkref.so.
    Shared,
    /// libkref.a.
    Static,
    /// libkref.a, in a program that is linked with -static.
    Executable,
    /// libkref.a, instrumented by ThreadSanitizer.
    Tsan,
}

impl Library {
    /// The library's part of a test's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Static => "static",
            Self::Executable => "static-executable",
            Self::Tsan => "static-tsan",
        }
    }

    fn prefix(self) -> &'static Prefix {
        if self == Self::Tsan { Prefix::tsan() } else { Prefix::plain() }
    }

    fn flags(self) -> Vec<String> {
        let prefix = self.prefix();
        let (archive, lib) = (prefix.archive().display().to_string(), prefix.lib());
        match self {
            Self::Shared => vec![
                format!("-L{}", lib.display()),
                format!("-Wl,-rpath,{}", lib.display()),
                "-lkref".into(),
            ],
            Self::Executable => vec![archive, "-static".into()],
            Self::Static | Self::Tsan => vec![archive],
        }
    }
}

/// Compiles c-tests/SOURCE.c or SOURCE.cpp with `flags` and links it. `made` is the file to write.
pub fn build(
    compiler: Compiler,
    source: &str,
    flags: &[&str],
    library: Library,
    made: &Path,
) -> Result<(), String> {
    std::fs::create_dir_all(made.parent().expect("a folder")).expect("target can be written");
    let mut compile = compiler.command();
    compile.args(flags).arg("-I").arg(library.prefix().include());
    compile.arg("-I").arg(c_tests().join("harness"));
    let [c, cpp] = ["c", "cpp"].map(|ending| c_tests().join(format!("{source}.{ending}")));
    let is_c = c.exists();
    compile.arg(if is_c { c } else { cpp }).arg("-o").arg(made);
    compile.args(library.flags()).args(["-pthread", "-ldl"]);
    let compiled = run(compile.args(if is_c { &[] } else { compiler.cpp_flags() }));
    if compiled.success { Ok(()) } else { Err(describe("it does not compile", &compiled)) }
}

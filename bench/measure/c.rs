//! C files, compiled against libkref as `make install` leaves it, and loaded.

use std::ffi::c_ulong;
use std::path::PathBuf;
use std::process::Command;

use kref_c_tests::{Compiler, Kind, Prefix, project, run, scratch};
use libloading::Library;

use crate::contender::Contender;

/// The compiler of every C file: of the kind that `CC` names, or else gcc, or else any.
pub fn compiler() -> Compiler {
    let named = std::env::var("CC").unwrap_or_default();
    let kind = if named.contains("clang") { Kind::Clang } else { Kind::Gcc };
    Compiler::find(kind).unwrap_or_else(Compiler::any)
}

/// Compiles and links one of the project's C files against libkref.so, as a user would, to a file of
/// that name. The flags stand between the source and the library, where an archive has to be.
pub fn compile(source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let prefix = Prefix::plain();
    let folder = scratch().join("bench");
    std::fs::create_dir_all(&folder).expect("target can be written");
    let output = folder.join(name);
    let mut compile = compiler().command();
    compile.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]);
    compile.arg("-I").arg(prefix.include()).arg(project().join(source)).args(flags);
    compile.arg(prefix.lib().join("libkref.so"));
    compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display())).arg("-o").arg(&output);
    let compiled = run(&mut compile);
    assert!(compiled.success, "{source} does not compile:\n{}", compiled.output);
    output
}

/// The flags that pkg-config prints for a package. `None` if the package is not installed.
pub fn package_flags(package: &str) -> Option<Vec<String>> {
    let found = run(Command::new("pkg-config").args(["--cflags", "--libs", package]));
    found.success.then(|| found.output.split_whitespace().map(str::to_string).collect())
}

/// Whether the compiler finds a header: for a package that is one header, and that pkg-config does not know.
pub fn has_header(header: &str) -> bool {
    let mut compile = compiler().command();
    run(compile.args(["-E", "-include", header, "-x", "c", "/dev/null", "-o", "/dev/null"])).success
}

/// A C file of loops, loaded until the program ends.
#[derive(Clone, Copy)]
pub struct Loops(&'static Library);

impl Loops {
    /// Compiles `source` to a shared object of that name, and loads it.
    pub fn compile(source: &str, name: &str, flags: &[&str]) -> Self {
        let flags = [&["-fPIC", "-shared"], flags].concat();
        let object = compile(source, &format!("{name}.so"), &flags);
        // SAFETY: the files' constructors only publish the objects of their own loops.
        let library = unsafe { Library::new(&object) };
        let library = library.unwrap_or_else(|why| panic!("{}: {why:?}", object.display()));
        Self(Box::leak(Box::new(library)))
    }

    /// The function of that name as a contender.
    pub fn contender(self, name: impl Into<String>, function: &str) -> Contender {
        Contender::new(name, self.function(function))
    }

    /// A function that does an operation n times.
    pub fn function(self, name: &str) -> impl Fn(u64) + Copy + Send + Sync + 'static {
        // SAFETY: the files declare every loop so.
        let function: unsafe extern "C" fn(c_ulong) = unsafe { self.symbol(name) };
        // SAFETY: any number of threads may call a loop, any number of times.
        move |n| unsafe { function(n) }
    }

    /// A function of n, the number of operations, and another number: how many lookups are in a mix, for example.
    pub fn mixed(self, name: &str) -> impl Fn(u64, u64) + Copy + Send + Sync + 'static {
        // SAFETY: the files declare every mixed loop so.
        let function: unsafe extern "C" fn(c_ulong, c_ulong) = unsafe { self.symbol(name) };
        // SAFETY: as in `function`.
        move |n, lookups| unsafe { function(n, lookups) }
    }

    /// A function without parameters.
    pub fn plain(self, name: &str) -> impl Fn() + Copy + Send + Sync + 'static {
        // SAFETY: the files declare all others so.
        let function: unsafe extern "C" fn() = unsafe { self.symbol(name) };
        // SAFETY: any thread may call these functions; the C file says when.
        move || unsafe { function() }
    }

    /// # Safety
    /// The file declares a function of that name and of the type `T`.
    unsafe fn symbol<T: Copy>(self, name: &str) -> T {
        // SAFETY: as for this function.
        *unsafe { self.0.get::<T>(name) }.unwrap_or_else(|why| panic!("{name}: {why}"))
    }
}

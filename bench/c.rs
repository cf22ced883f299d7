//! The C contenders: loops.c and its peers, against libkref as `make install` leaves it.

use std::ffi::c_ulong;
use std::path::{Path, PathBuf};

use kref_c_tests::{Compiler, Kind, Prefix, project, run, scratch};
use libloading::Library;

use crate::contender::Contender;

/// How a program may be compiled and linked.
#[derive(Clone, Copy)]
pub enum Build {
    /// With kref.h's inline functions.
    Inline,
    /// Calling libkref.a.
    Archive,
    /// Calling libkref.so through the PLT, as is usual.
    Shared,
    /// Calling libkref.so through the GOT.
    SharedNoPlt,
}

impl Build {
    fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Archive => "archive",
            Self::Shared => "shared",
            Self::SharedNoPlt => "shared-no-plt",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Inline => &[],
            // Hidden, the library's functions are called as they are from a program.
            Self::Archive => &["-DKREF_NO_INLINE", "-Wl,--exclude-libs,ALL"],
            Self::Shared => &["-DKREF_NO_INLINE"],
            Self::SharedNoPlt => &["-DKREF_NO_INLINE", "-fno-plt"],
        }
    }

    fn library(self) -> PathBuf {
        match self {
            Self::Archive => Prefix::plain().archive(),
            _ => Prefix::plain().lib().join("libkref.so"),
        }
    }
}

/// The compiler of all the loops: of the kind that `CC` names, or else gcc, or else any.
pub fn compiler() -> Compiler {
    let named = std::env::var("CC").unwrap_or_default();
    let kind = if named.contains("clang") { Kind::Clang } else { Kind::Gcc };
    Compiler::find(kind).unwrap_or_else(Compiler::any)
}

/// A file of loops in one build, loaded for good.
#[derive(Clone, Copy)]
pub struct Loops(&'static Library);

impl Loops {
    /// loops.c.
    pub fn of(build: Build) -> Self {
        Self::compiled("loops.c", build, build.name(), &[])
    }

    /// Another file of this folder's, with the inline functions.
    pub fn inlined(source: &str) -> Self {
        Self::compiled(source, Build::Inline, "", &[])
    }

    /// The same with more flags, and a name for what comes of it.
    pub fn peer(source: &str, name: &str, flags: &[String]) -> Self {
        Self::compiled(source, Build::Inline, name, flags)
    }

    fn compiled(source: &str, build: Build, name: &str, flags: &[String]) -> Self {
        let prefix = Prefix::plain();
        let folder = scratch().join("bench");
        std::fs::create_dir_all(&folder).expect("target can be written");
        let stem = Path::new(source).file_stem().expect("a file").display();
        let object = folder.join(format!("{stem}-{name}.so"));
        let mut compile = compiler().command();
        compile.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]);
        compile.args(build.flags()).arg("-I").arg(prefix.include());
        compile.arg(project().join("bench").join(source)).arg(build.library()).args(flags);
        compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display())).arg("-o").arg(&object);
        let compiled = run(&mut compile);
        assert!(compiled.success, "{source} does not compile:\n{}", compiled.output);
        // SAFETY: what the loops run when they are loaded publishes their objects, and no more.
        let library = unsafe { Library::new(&object) };
        let library = library.unwrap_or_else(|why| panic!("{}: {why:?}", object.display()));
        Self(Box::leak(Box::new(library)))
    }

    /// The loop of that name.
    pub fn contender(self, name: &'static str, function: &str) -> Contender {
        Contender::new(name, self.function(function))
    }

    /// The same, for loops that want to know when a thread comes and goes.
    pub fn contender_that_registers(self, name: &'static str, function: &str) -> Contender {
        // SAFETY: peers/urcu.c declares both so.
        let [enter, leave]: [unsafe extern "C" fn(); 2] =
            ["enter", "leave"].map(|name| unsafe { *self.0.get(name).expect("in peers/urcu.c") });
        // SAFETY: a thread enters once before it leaves once.
        self.contender(name, function)
            .between(move || unsafe { enter() }, move || unsafe { leave() })
    }

    /// A function that does an operation n times.
    pub fn function(self, name: &str) -> impl Fn(u64) + Copy + Send + Sync + 'static {
        // SAFETY: every loop is declared so.
        let function: unsafe extern "C" fn(c_ulong) =
            unsafe { *self.0.get(name).expect("one of the file's loops") };
        // SAFETY: a loop may be run by any number of threads, as often as one likes.
        move |n| unsafe { function(n) }
    }

    /// A function that does an operation n times, each after so many lookups.
    pub fn mixed(self, name: &str) -> impl Fn(u64, u64) + Copy + Send + Sync + 'static {
        // SAFETY: every one of writers.c is declared so.
        let function: unsafe extern "C" fn(c_ulong, c_ulong) =
            unsafe { *self.0.get(name).expect("one of writers.c") };
        // SAFETY: as above.
        move |n, lookups| unsafe { function(n, lookups) }
    }
}

//! The C contenders: loops.c, against libkref as `make install` leaves it.

use std::ffi::c_ulong;
use std::path::PathBuf;

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

    fn compile(self) -> PathBuf {
        let prefix = Prefix::plain();
        let folder = scratch().join("bench");
        std::fs::create_dir_all(&folder).expect("target can be written");
        let object = folder.join(format!("loops-{}.so", self.name()));
        let library = match self {
            Self::Archive => prefix.archive(),
            _ => prefix.lib().join("libkref.so"),
        };
        let mut compile = compiler().command();
        compile.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]);
        compile.args(self.flags()).arg("-I").arg(prefix.include());
        compile.arg(project().join("bench/loops.c")).arg(library);
        compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display())).arg("-o").arg(&object);
        let compiled = run(&mut compile);
        assert!(compiled.success, "loops.c does not compile:\n{}", compiled.output);
        object
    }
}

/// The compiler of all the loops: of the kind that `CC` names, or else gcc, or else any.
pub fn compiler() -> Compiler {
    let named = std::env::var("CC").unwrap_or_default();
    let kind = if named.contains("clang") { Kind::Clang } else { Kind::Gcc };
    Compiler::find(kind).unwrap_or_else(Compiler::any)
}

/// loops.c in one build, loaded for good.
pub struct Loops(&'static Library);

impl Loops {
    pub fn of(build: Build) -> Self {
        let object = build.compile();
        // SAFETY: loops.c and libkref run nothing when they are loaded.
        let library = unsafe { Library::new(&object) };
        let library = library.unwrap_or_else(|why| panic!("{}: {why}", object.display()));
        Self(Box::leak(Box::new(library)))
    }

    /// The loop of that name.
    pub fn contender(&self, name: &'static str, function: &str) -> Contender {
        // SAFETY: loops.c declares every loop so.
        let function: unsafe extern "C" fn(c_ulong) =
            unsafe { *self.0.get(function).expect("a loop of loops.c") };
        // SAFETY: a loop may be run by any number of threads, as often as one likes.
        Contender::new(name, move |n| unsafe { function(n) })
    }
}

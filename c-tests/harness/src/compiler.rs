//! The C compilers of this machine, and their abilities.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::prefix::scratch;
use crate::process::{program, run};

/// The dialect and the warnings for every C program.
pub const WARNINGS: [&str; 5] = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// A family of compilers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The GNU compiler.
    Gcc,
    /// The compiler of LLVM.
    Clang,
}

/// A sanitizer that a compiler can build into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sanitizer {
    /// ThreadSanitizer.
    Thread,
    /// AddressSanitizer and UndefinedBehaviorSanitizer together.
    Address,
}

impl Sanitizer {
    /// The compiler's flags.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Thread => &["-fsanitize=thread", "-g", "-O1", "-fno-omit-frame-pointer"],
            Self::Address => &[
                "-fsanitize=address,undefined",
                "-fno-sanitize-recover=all",
                "-g",
                "-O1",
                "-fno-omit-frame-pointer",
            ],
        }
    }
}

/// A compiler, and the command that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compiler {
    kind: Kind,
    command: &'static str,
}

impl Kind {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::Gcc, Self::Clang];

    /// The family's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gcc => "gcc",
            Self::Clang => "clang",
        }
    }
}

impl Compiler {
    /// The machine's compiler of this family. `$CC` or `cc` is preferred, if it is of the family.
    pub fn find(kind: Kind) -> Option<Self> {
        static FOUND: Mutex<Option<HashMap<Kind, Option<Compiler>>>> = Mutex::new(None);
        let mut found = FOUND.lock().expect("no test panics in here");
        *found.get_or_insert_default().entry(kind).or_insert_with(|| Self::look_for(kind))
    }

    /// [`find`](Self::find), or the reason to skip the test.
    pub fn need(kind: Kind) -> Result<Self, String> {
        Self::find(kind).ok_or_else(|| format!("no {} on this machine", kind.name()))
    }

    /// [`need`](Self::need) for a compiler that has `sanitizer`.
    pub fn need_with(kind: Kind, sanitizer: Sanitizer) -> Result<Self, String> {
        let compiler = Self::need(kind)?;
        if compiler.has(sanitizer) {
            return Ok(compiler);
        }
        Err(format!("{} has no {sanitizer:?}Sanitizer on this machine", kind.name()))
    }

    /// [`need`](Self::need) for a compiler that compiles C++.
    pub fn need_cpp(kind: Kind) -> Result<Self, String> {
        let compiler = Self::need(kind)?;
        if compiler.speaks_cpp() {
            return Ok(compiler);
        }
        Err(format!("{} compiles no C++ on this machine", kind.name()))
    }

    /// The flags for a program in C++ that link what the compiler's command for C++ would link.
    pub fn cpp_flags(self) -> &'static [&'static str] {
        match self.kind {
            Kind::Gcc => &["-lstdc++"],
            // Also the parts of the sanitizers that are for C++.
            Kind::Clang => &["--driver-mode=g++"],
        }
    }

    fn look_for(kind: Kind) -> Option<Self> {
        let chosen = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let others: &[&str] = match kind {
            Kind::Gcc => &["gcc"],
            Kind::Clang => &["clang", "clang-21", "clang-20", "clang-19", "clang-18", "clang-16"],
        };
        std::iter::once(&*chosen.leak()).chain(others.iter().copied()).find_map(|command| {
            let version = run(Command::new(command).arg("--version"));
            let is_clang = version.output.contains("clang");
            let fits = version.success && is_clang == (kind == Kind::Clang);
            fits.then_some(Self { kind, command })
        })
    }

    /// Some compiler, for tests that work with each compiler.
    pub fn any() -> Self {
        Kind::ALL.into_iter().find_map(Self::find).expect("a C compiler")
    }

    /// The compiler's family.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// A command that compiles, with the flags that the cc crate adds for this machine.
    pub fn command(self) -> Command {
        static TOOLS: Mutex<Option<HashMap<Compiler, cc::Tool>>> = Mutex::new(None);
        let mut tools = TOOLS.lock().expect("no test panics in here");
        tools.get_or_insert_default().entry(self).or_insert_with(|| self.tool()).to_command()
    }

    /// What the cc crate finds out by running the compiler.
    fn tool(self) -> cc::Tool {
        let arch = std::env::consts::ARCH;
        let target = format!("{}-unknown-linux-gnu", if arch == "x86" { "i686" } else { arch });
        cc::Build::new()
            .compiler(self.command)
            .target(&target)
            .host(&target)
            .opt_level(0)
            .debug(false)
            .no_default_flags(true)
            .cargo_metadata(false)
            .cargo_warnings(false)
            .get_compiler()
    }

    /// Whether the compiler can compile C++ on this machine, with the standard library of C++.
    pub fn speaks_cpp(self) -> bool {
        self.can(&["-x", "c++", "-include", "functional", "-lstdc++"])
    }

    /// Whether programs with `sanitizer` can be built and run on this machine.
    pub fn has(self, sanitizer: Sanitizer) -> bool {
        self.can(sanitizer.flags())
    }

    /// Whether the compiler builds an empty program with these flags, and the program runs.
    fn can(self, flags: &'static [&'static str]) -> bool {
        type Known = HashMap<(Compiler, &'static [&'static str]), bool>;
        static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
        let mut known = KNOWN.lock().expect("no test panics in here");
        *known.get_or_insert_default().entry((self, flags)).or_insert_with(|| {
            let directory = tempfile::tempdir_in(make_directory(&scratch())).expect("a directory");
            let source = directory.path().join("try.c");
            std::fs::write(&source, "int main(void) { return 0; }\n").expect("a file");
            let executable = directory.path().join("try");
            let mut compile = self.command();
            compile.args(flags).arg(&source).arg("-o").arg(&executable);
            run(&mut compile).success && run(&mut program(&executable)).success
        })
    }

    /// Sets the sanitizers' options for a program of this compiler: the program ends at the first
    /// report, and reports name source lines.
    pub fn sanitizer_options(self, command: &mut Command) {
        let symbolizer = self
            .symbolizer()
            .map_or(String::new(), |path| format!(":external_symbolizer_path={}", path.display()));
        command.env("TSAN_OPTIONS", format!("halt_on_error=1:exitcode=66{symbolizer}"));
        command.env("ASAN_OPTIONS", format!("detect_leaks=1{symbolizer}"));
        command.env("UBSAN_OPTIONS", format!("print_stacktrace=1{symbolizer}"));
    }

    /// The path of LLVM's symbolizer, if its name has a version in it: LLVM's sanitizers look only
    /// for the name without a version.
    fn symbolizer(self) -> Option<PathBuf> {
        let version = self.command.strip_prefix("clang")?;
        let name = format!("llvm-symbolizer{version}");
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.exists())
    }
}

fn make_directory(path: &Path) -> &Path {
    std::fs::create_dir_all(path).expect("target can be written");
    path
}

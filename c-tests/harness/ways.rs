//! The ways to build and run a program.

use kref_c_tests::{Compiler, Kind, Library, Sanitizer, emulator, is_quick, is_rest, valgrind};

use crate::program::Program;

/// How a program is built, and the tool that runs it.
#[derive(Clone, Copy)]
pub struct Way {
    pub compiler: Kind,
    pub library: Library,
    pub inline: bool,
    pub watch: Watch,
    /// Whether glibc registers restartable sequences, on machines that have them.
    pub rseq: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Watch {
    Nothing,
    Sanitizer(Sanitizer),
    /// A tool of valgrind: memcheck, helgrind or drd.
    Valgrind(&'static str),
}

impl Way {
    pub fn name(self) -> String {
        let watch = match self.watch {
            Watch::Nothing => "plain",
            Watch::Sanitizer(Sanitizer::Thread) => "tsan",
            Watch::Sanitizer(Sanitizer::Address) => "asan",
            Watch::Valgrind(tool) => tool,
        };
        let library = self.library.name();
        let inline = if self.inline { "inline" } else { "outofline" };
        let rseq = if self.rseq { "" } else { "no-rseq-" };
        format!("{rseq}{watch}::{}::{library}::{inline}", self.compiler.name())
    }

    pub fn flags(self) -> Vec<&'static str> {
        let mut flags = match self.watch {
            Watch::Sanitizer(sanitizer) => sanitizer.flags().to_vec(),
            Watch::Valgrind(_) => vec!["-O1", "-g"],
            // Inline functions must work with and without the optimiser.
            Watch::Nothing if self.library == Library::Static => vec!["-O0", "-g"],
            Watch::Nothing => vec!["-O2", "-g"],
        };
        if !self.inline {
            flags.push("-DKREF_NO_INLINE");
        }
        flags
    }

    /// Whether `make check` has this way: gcc, clang, each sanitizer, and no sequences.
    pub fn is_quick(self) -> bool {
        match self.watch {
            Watch::Nothing if !self.rseq => true,
            Watch::Nothing => match self.compiler {
                Kind::Gcc => self.library == Library::Shared && self.inline,
                Kind::Clang => self.library == Library::Static && !self.inline,
            },
            Watch::Sanitizer(Sanitizer::Address) => {
                self.compiler == Kind::Gcc && self.inline && self.rseq
            }
            Watch::Sanitizer(Sanitizer::Thread) => {
                self.compiler == Kind::Clang && self.inline && self.library == Library::Shared
            }
            Watch::Valgrind(_) => false,
        }
    }

    /// The compiler, or the reason why this machine cannot build and run the program this way.
    pub fn compiler(self) -> Result<Compiler, String> {
        if self.library == Library::Tsan && emulator().is_some() {
            return Err("rustc instruments libkref for few processors".into());
        }
        match self.watch {
            Watch::Sanitizer(sanitizer) => Compiler::need_with(self.compiler, sanitizer),
            Watch::Valgrind(_) if !valgrind() => Err("no valgrind on this machine".into()),
            _ => Compiler::need(self.compiler),
        }
    }
}

/// The ways to build and run a `run-*` program.
pub fn ways(program: &Program) -> Vec<Way> {
    let mut ways = Vec::new();
    for compiler in Kind::ALL {
        for inline in [true, false] {
            let mut add =
                |library, watch| ways.push(Way { compiler, library, inline, watch, rseq: true });
            add(Library::Shared, Watch::Nothing);
            add(Library::Static, Watch::Nothing);
            if !program.does_without("asan") {
                add(Library::Shared, Watch::Sanitizer(Sanitizer::Address));
            }
            if program.has_tool("tsan") {
                add(Library::Shared, Watch::Sanitizer(Sanitizer::Thread));
                add(Library::Tsan, Watch::Sanitizer(Sanitizer::Thread));
            }
        }
    }
    if !program.does_without("memcheck") {
        ways.extend(in_valgrind("memcheck"));
    }
    for tool in ["helgrind", "drd"].into_iter().filter(|tool| program.has_tool(tool)) {
        ways.extend(in_valgrind(tool));
    }
    let usual = Way {
        compiler: Kind::Gcc,
        library: Library::Shared,
        inline: true,
        watch: Watch::Nothing,
        rseq: true,
    };
    ways.push(Way { rseq: false, ..usual });
    if !program.does_without("asan") {
        let watch = Watch::Sanitizer(Sanitizer::Address);
        ways.push(Way { rseq: false, watch, ..usual });
    }
    if program.has_tool("static") {
        ways.extend([true, false].map(|inline| Way {
            library: Library::Executable,
            inline,
            ..usual
        }));
    }
    ways
}

/// Whether KREF_CHECK asks for this way to build a program. `number` is the program's place in the list. With
/// KREF_CHECK=rest the first program is built with one compiler, the second with the other one, and so on; likewise with the
/// static or the shared library. The ways under valgrind and ThreadSanitizer are few, and are built with both libraries.
pub fn is_wanted(number: usize, way: Way) -> bool {
    let has_both = matches!(way.watch, Watch::Valgrind(_) | Watch::Sanitizer(Sanitizer::Thread));
    let compiler = Kind::ALL[(number + usize::from(way.inline)) % Kind::ALL.len()];
    let is_static = (number / 2).is_multiple_of(2);
    let has_turn =
        way.compiler == compiler && (has_both || is_static == (way.library == Library::Static));
    (!is_quick() || way.is_quick()) && (!is_rest() || !way.is_quick() && has_turn)
}

/// The ways in which a tool sees each access to the count: the access is inlined into the program, or the library is
/// instrumented. memcheck sees each access in each way.
pub fn catching(tool: &str) -> Vec<Way> {
    let (watch, libraries) = match tool {
        "tsan" => {
            (Watch::Sanitizer(Sanitizer::Thread), [(Library::Shared, true), (Library::Tsan, false)])
        }
        "asan" => (
            Watch::Sanitizer(Sanitizer::Address),
            [(Library::Shared, true), (Library::Static, true)],
        ),
        "memcheck" => return in_valgrind("memcheck").to_vec(),
        other => panic!("{other} is no tool that catches"),
    };
    let ways = |compiler| {
        libraries.map(|(library, inline)| Way { compiler, library, inline, watch, rseq: true })
    };
    Kind::ALL.into_iter().flat_map(ways).collect()
}

/// The ways to run a program under a tool of valgrind. valgrind reads machine code, so one compiler is enough.
pub fn in_valgrind(tool: &'static str) -> [Way; 2] {
    let watch = Watch::Valgrind(tool);
    [(Library::Static, true), (Library::Shared, false)].map(|(library, inline)| Way {
        compiler: Kind::Gcc,
        library,
        inline,
        watch,
        rseq: true,
    })
}

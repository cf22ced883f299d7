//! Runs the C and C++ programs in the folders of c-tests. Each program, built in each way, is a test.
//!
//! The prefix of a file's name says what the program must do:
//!
//! * `run-*.c` must exit with status 0. It is built with each compiler, with the shared and the static
//!   library, with and without kref.h's inline functions. It also runs under AddressSanitizer with
//!   UndefinedBehaviorSanitizer, under valgrind's memcheck, and without restartable sequences. Its
//!   opening comment may add ways (` * tools: tsan helgrind drd static`) and leave ways out
//!   (` * without: memcheck, for a reason`). `static` is a program that is linked with -static. What
//!   qemu-user cannot run is `without: qemu-user`, and what musl cannot is `without: musl`; ci/cross.sh runs
//!   the other programs there.
//! * `fail-*.c` is wrong. The tool that its opening comment names must report the words that follow
//!   (` * caught by: asan: heap-use-after-free`).
//! * `compile_fail-*.c` must compile, but with -DWRONG must not. The compiler must report the words that
//!   its opening comment names (` * says: pointer type mismatch`).
//!
//! The same holds for programs in C++, whose names end with `.cpp`: they are compiled as C++11.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Finished, Kind, Library, Prefix, Sanitizer, WARNINGS, build, c_tests, describe,
    emulator, is_musl, is_quick, program, run, scratch, unless_missing, valgrind,
};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for program in programs() {
        let (_, file) = program.name.split_once('/').expect("a folder and a file");
        if file.starts_with("run-") {
            trials.extend(must_run(&program));
        } else if file.starts_with("fail-") {
            trials.extend(must_be_caught(&program));
        } else if file.starts_with("compile_fail-") {
            trials.extend(must_not_compile(&program));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A C or C++ file. Its opening comment has the directives for this driver.
#[derive(Clone)]
struct Program {
    /// The folder and the file without `.c` or `.cpp`: `slot/run-replace`.
    name: String,
    path: PathBuf,
    text: String,
}

impl Program {
    /// The texts after `key: ` in the opening comment. There may be several lines with one key.
    fn says<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let comment = self.text.lines().take_while(|line| !line.contains("*/"));
        comment.filter_map(move |line| {
            line.trim_start_matches([' ', '*', '/']).strip_prefix(key)?.strip_prefix(": ")
        })
    }

    fn has_tool(&self, tool: &str) -> bool {
        self.says("tools").any(|tools| tools.split_whitespace().any(|name| name == tool))
    }

    fn does_without(&self, tool: &str) -> bool {
        self.says("without").any(|tools| tools.starts_with(tool))
    }

    fn is_cpp(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "cpp")
    }

    /// The dialect and the warnings.
    fn warnings(&self) -> Vec<&'static str> {
        let [in_c, warnings @ ..] = WARNINGS;
        let dialect = if self.is_cpp() { "-std=c++11" } else { in_c };
        [&[dialect], &warnings[..]].concat()
    }

    /// The compiler for this program and way, or the reason why this machine cannot build and run it.
    fn compiler(&self, way: Way) -> Result<Compiler, String> {
        self.check_machine()?;
        if self.is_cpp() {
            Compiler::need_cpp(way.compiler)?;
        }
        way.compiler()
    }

    /// An error if the emulator, or the C library, cannot run the program.
    fn check_machine(&self) -> Result<(), String> {
        let is_here = |reason: &str| {
            emulator().is_some() && reason.starts_with("qemu-user")
                || is_musl() && reason.starts_with("musl")
        };
        match self.says("without").find(|reason| is_here(reason)) {
            Some(reason) => Err(format!("not under {reason}")),
            None => Ok(()),
        }
    }
}

fn programs() -> Vec<Program> {
    let mut found: Vec<Program> = entries(&c_tests())
        .filter(|path| path.is_dir())
        .flat_map(|folder| entries(&folder))
        .filter(|path| path.extension().is_some_and(|ending| ending == "c" || ending == "cpp"))
        .map(|path| {
            let name = path.strip_prefix(c_tests()).expect("it is in c-tests").with_extension("");
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            Program { name: name.display().to_string(), path, text }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).expect("c-tests can be read");
    entries.map(|entry| entry.expect("c-tests can be read").path())
}

/// How a program is built, and the tool that runs it.
#[derive(Clone, Copy)]
struct Way {
    compiler: Kind,
    library: Library,
    inline: bool,
    watch: Watch,
    /// Whether glibc registers restartable sequences, on machines that have them.
    rseq: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Watch {
    Nothing,
    Sanitizer(Sanitizer),
    /// A tool of valgrind: memcheck, helgrind or drd.
    Valgrind(&'static str),
}

impl Way {
    fn name(self) -> String {
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

    fn flags(self) -> Vec<&'static str> {
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
    fn is_quick(self) -> bool {
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
    fn compiler(self) -> Result<Compiler, String> {
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
fn ways(program: &Program) -> Vec<Way> {
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

fn must_run(program: &Program) -> Vec<Trial> {
    let trial = |way: Way| {
        let program = program.clone();
        Trial::ignorable_test(format!("{}::{}", program.name, way.name()), move || {
            unless_missing(program.compiler(way), |compiler| {
                let executable = make(&program, way, compiler)?;
                let ended = execute(&executable, way, compiler);
                if ended.success { Ok(()) } else { Err(describe("it failed", &ended)) }
            })
        })
    };
    ways(program).into_iter().filter(|way| !is_quick() || way.is_quick()).map(trial).collect()
}

fn must_be_caught(program: &Program) -> Vec<Trial> {
    let mut trials = Vec::new();
    for caught in program.says("caught by").map(str::to_string) {
        let (tool, words) = caught.split_once(": ").expect("caught by: TOOL: WORDS");
        for way in catching(tool) {
            let (program, words) = (program.clone(), words.to_string());
            let name = format!("{}::{}", program.name, way.name());
            trials.push(Trial::ignorable_test(name, move || {
                unless_missing(program.compiler(way), |compiler| {
                    let executable = make(&program, way, compiler)?;
                    let ended = execute(&executable, way, compiler);
                    match ended.output.contains(&words) && !ended.success {
                        true => Ok(()),
                        false => Err(describe(&format!("no report of \"{words}\""), &ended)),
                    }
                })
            }));
        }
    }
    assert!(!trials.is_empty(), "{}: no line `caught by:`", program.name);
    trials
}

/// The ways in which a tool sees each access to the count: the access is inlined into the program, or the library is
/// instrumented. memcheck sees each access in each way.
fn catching(tool: &str) -> Vec<Way> {
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
fn in_valgrind(tool: &'static str) -> [Way; 2] {
    let watch = Watch::Valgrind(tool);
    [(Library::Static, true), (Library::Shared, false)].map(|(library, inline)| Way {
        compiler: Kind::Gcc,
        library,
        inline,
        watch,
        rseq: true,
    })
}

fn must_not_compile(program: &Program) -> Vec<Trial> {
    let trial = |kind: Kind| {
        let program = program.clone();
        let name = format!("{}::{}", program.name, kind.name());
        let watch = Watch::Nothing;
        let (library, inline) = (Library::Shared, true);
        let way = Way { compiler: kind, library, inline, watch, rseq: true };
        Trial::ignorable_test(name, move || {
            unless_missing(program.compiler(way), |compiler| {
                let check = |twin: &[&str]| {
                    let mut compile = compiler.command();
                    compile.args(program.warnings()).args(["-c", "-o", "/dev/null"]).args(twin);
                    run(compile.arg("-I").arg(Prefix::plain().include()).arg(&program.path))
                };
                let right = check(&[]);
                if !right.success {
                    return Err(describe("the right twin does not compile", &right));
                }
                let wrong = check(&["-DWRONG"]);
                let words = program.says("says").next().expect("says: WORDS");
                match !wrong.success && wrong.output.contains(words) {
                    true => Ok(()),
                    false => Err(describe(&format!("no report of \"{words}\""), &wrong)),
                }
            })
        })
    };
    Kind::ALL.into_iter().map(trial).collect()
}

fn make(program: &Program, way: Way, compiler: Compiler) -> Result<PathBuf, String> {
    let name = format!("{}.{}", program.name.replace('/', "."), way.name().replace("::", "."));
    let executable = scratch().join("programs").join(name);
    let defines = [&[data_define()][..], &layout_defines()].concat();
    let defines: Vec<&str> = defines.iter().map(String::as_str).collect();
    let flags = [&program.warnings()[..], &way.flags(), &defines].concat();
    build(compiler, &program.name, &flags, way.library, &executable)?;
    Ok(executable)
}

/// Tells run-semantics.c where its table is.
fn data_define() -> String {
    format!("-DDATA=\"{}\"", c_tests().join("data").display())
}

/// The sizes and alignments of the Rust types, for run-layout.c.
fn layout_defines() -> [String; 6] {
    [
        format!("-DRUST_SIZEOF_KREF={}", size_of::<kref::Kref>()),
        format!("-DRUST_ALIGNOF_KREF={}", align_of::<kref::Kref>()),
        format!("-DRUST_SIZEOF_SLOT={}", size_of::<kref::KrefSlot>()),
        format!("-DRUST_SIZEOF_PERCPU_REF={}", size_of::<kref::PercpuRef>()),
        format!("-DRUST_SIZEOF_PERCPU_REF_SLOT={}", size_of::<kref::PercpuRefSlot>()),
        format!("-DRUST_SIZEOF_VIOLATION={}", size_of::<kref::Violation>()),
    ]
}

/// Runs the program under its tool, until the program ends.
fn execute(executable: &Path, way: Way, compiler: Compiler) -> Finished {
    let mut command = match way.watch {
        Watch::Valgrind(tool) => {
            let mut command = Command::new("valgrind");
            command.arg(format!("--tool={tool}")).args(["--error-exitcode=99", "--quiet"]);
            if tool == "memcheck" {
                command.args(["--leak-check=full", "--show-leak-kinds=definite"]);
            }
            command.arg(executable);
            command
        }
        _ => program(executable),
    };
    compiler.sanitizer_options(&mut command);
    if !way.rseq {
        command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    }
    run(&mut command)
}

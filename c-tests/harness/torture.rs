//! Runs the torture programs, and the program that unloads libkref.
//!
//! * `slot/torture.c`, `percpu/torture.c` and `pool/torture.c` are built in each of several ways. Each runs for
//!   `KREF_TORTURE_SECONDS` (default 2; `make torture` sets 120) and prints what happened.
//! * The first two with `-DWITHOUT_FENCE` leave the membarrier out, and must fail. A pool needs none.
//! * `rseq/unload/`: threads live on after the library that they used was unloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::RwLock;

use kref_c_tests::{
    Compiler, Finished, Kind, Library, Sanitizer, WARNINGS, build, describe, run, scratch,
    unless_missing,
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

const PROGRAMS: [&str; 3] = ["slot/torture", "percpu/torture", POOL];
const POOL: &str = "pool/torture";

/// How many times a program without fences is run, a few seconds each time, until it fails.
const TRIES: usize = 100;

/// A program without fences fails only while two of its threads run at the same time. So it runs
/// alone: no other program of this driver runs beside it.
static MACHINE: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for program in PROGRAMS {
        trials.extend(WAYS.iter().map(|way| must_pass(program, *way)));
        let catches = |way: &&Way| way.catches && program != POOL;
        trials.extend(WAYS.iter().filter(catches).map(|way| must_fail(program, *way)));
    }
    for library in [Library::Shared, Library::Static] {
        trials.extend([true, false].map(|inline| must_survive_unloading(library, inline)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    compiler: Kind,
    library: Library,
    inline: bool,
    sanitizer: Option<Sanitizer>,
    rseq: bool,
    /// Whether this way is also tried with `-DWITHOUT_FENCE`.
    catches: bool,
}

const PLAIN: Way = Way {
    name: "plain",
    compiler: Kind::Gcc,
    library: Library::Shared,
    inline: true,
    sanitizer: None,
    rseq: true,
    catches: true,
};

const WAYS: [Way; 10] = [
    PLAIN,
    Way { name: "outofline", inline: false, ..PLAIN },
    Way { name: "static", library: Library::Static, catches: false, ..PLAIN },
    Way { name: "static-executable", library: Library::Executable, inline: false, ..PLAIN },
    Way { name: "clang", compiler: Kind::Clang, catches: false, ..PLAIN },
    Way { name: "no-rseq", rseq: false, catches: false, ..PLAIN },
    Way { name: "asan", sanitizer: Some(Sanitizer::Address), ..PLAIN },
    Way { name: "no-rseq-asan", rseq: false, ..ASAN },
    Way { name: "tsan", ..TSAN },
    Way { name: "tsan-outofline", library: Library::Tsan, inline: false, ..TSAN },
];

const ASAN: Way = Way { sanitizer: Some(Sanitizer::Address), catches: false, ..PLAIN };
const TSAN: Way = Way { sanitizer: Some(Sanitizer::Thread), catches: false, ..PLAIN };

impl Way {
    fn compiler(self) -> Result<Compiler, String> {
        match self.sanitizer {
            Some(sanitizer) => Compiler::need_with(self.compiler, sanitizer),
            None => Compiler::need(self.compiler),
        }
    }

    /// Compiles c-tests/SOURCE.c this way. Returns the path of the result.
    fn build(self, compiler: Compiler, source: &str, more: &[&str]) -> Result<PathBuf, String> {
        let name = format!("{}.{}{}", source.replace('/', "."), self.name, more.concat());
        let made = scratch().join("torture").join(name);
        let sanitizer = self.sanitizer.map_or(&[][..], Sanitizer::flags);
        let out_of_line: &[&str] = if self.inline { &[] } else { &["-DKREF_NO_INLINE"] };
        let flags = [&WARNINGS[..], &["-O2", "-g"], more, sanitizer, out_of_line].concat();
        build(compiler, source, &flags, self.library, &made)?;
        Ok(made)
    }

    fn run(self, compiler: Compiler, program: &Path, seconds: Option<&str>) -> Finished {
        let mut command = Command::new(program);
        compiler.sanitizer_options(&mut command);
        if !self.rseq {
            command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
        }
        if let Some(seconds) = seconds {
            command.env("KREF_TORTURE_SECONDS", seconds);
        }
        run(&mut command)
    }
}

fn must_pass(program: &'static str, way: Way) -> Trial {
    Trial::ignorable_test(format!("{program}::{}", way.name), move || {
        unless_missing(way.compiler(), |compiler| {
            let made = way.build(compiler, program, &[])?;
            let _shared = MACHINE.read().expect("no test panics while it holds the lock");
            let ended = way.run(compiler, &made, None);
            if !ended.success {
                return Err(describe("it failed", &ended));
            }
            print!("{}: {}", way.name, ended.output);
            Ok(())
        })
    })
}

/// The wrong twin. Without the fence a reader finds an object that was released.
fn must_fail(program: &'static str, way: Way) -> Trial {
    let name = format!("{program}::fails_without_the_fence::{}", way.name);
    Trial::ignorable_test(name, move || -> Result<Completion, Failed> {
        let mut skipped = None;
        let done = unless_missing(way.compiler(), |compiler| {
            let made = way.build(compiler, program, &["-DWITHOUT_FENCE"])?;
            let _alone = MACHINE.write().expect("no test panics while it holds the lock");
            for _ in 0..TRIES {
                let ended = way.run(compiler, &made, Some("3"));
                if ended.output.starts_with("skipped: ") {
                    skipped = Some(ended.output.trim_end().to_string());
                    return Ok(());
                }
                if !ended.success {
                    return Ok(());
                }
            }
            Err(format!("it passed {TRIES} times"))
        })?;
        // Skipped where CI is set, too: no script can install a second CPU.
        Ok(skipped.map_or(done, Completion::ignored_with))
    })
}

fn must_survive_unloading(library: Library, inline: bool) -> Trial {
    let name = match (library, inline) {
        (Library::Shared, true) => "shared-inline",
        (Library::Shared, false) => "shared-outofline",
        (_, true) => "static-inline",
        (_, false) => "static-outofline",
    };
    let way = Way { name, library, inline, ..PLAIN };
    Trial::ignorable_test(format!("unload::{name}"), move || {
        unless_missing(way.compiler(), |compiler| {
            let plugin = ["-shared", "-fPIC"];
            let plugin = way.build(compiler, "rseq/unload/library", &plugin)?;
            // The program itself calls no function of libkref.
            let program = Way { library: Library::Static, ..way };
            let program = program.build(compiler, "rseq/unload/program", &[])?;
            let ended = run(Command::new(program).arg(plugin));
            if ended.success { Ok(()) } else { Err(describe("it failed", &ended)) }
        })
    })
}

//! All `run-*` programs of c-tests under kref-track, with the smallest stacks: a thread has PTHREAD_STACK_MIN, and an
//! alternate stack 8 KiB (programs/small-stacks.c). A program ends as it does untracked on these stacks. Nothing is
//! reported of it, unless it is in [`WRONG`].
//!
//! Each program is built once, by gcc, and linked with libkref.so. `KREF_TRACKED_WAYS=all` adds the other compiler,
//! libkref.a, and calls instead of inline functions.

use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::kref_track::{compile, compile_with, kref_track};
use kref_c_tests::{
    Compiler, Finished, Kind, Library, WARNINGS, c_tests, run, scratch, unless_missing,
};
use libtest_mimic::{Arguments, Trial};

/// Programs that are not run here, and why. A percpu_ref is in atomic mode while it is tracked.
const LEFT_OUT: [(&str, &str); 16] = [
    ("kref/run-basic", "checks that nothing is tracked"),
    ("kref/run-layout", "has no object; needs the sizes of Rust's types"),
    (
        "kref/run-many",
        "takes more references than kref-track can follow, and checks where the count saturates",
    ),
    ("kref/run-number-line", "checks what an untracked count stores"),
    (
        "kref/run-oldp-meanwhile",
        "interrupts operations that are inlined on an untracked count only",
    ),
    ("percpu/run-cpus", "looks at the counters of percpu_refs"),
    (
        "percpu/run-life",
        "takes more references than kref-track can follow, and expects another report",
    ),
    ("percpu/run-memory", "counts the library's own allocations"),
    (
        "percpu/run-overflow",
        "takes more references than kref-track can follow, and expects another report",
    ),
    ("percpu/run-random", "looks at the counters of percpu_refs"),
    ("percpu/run-semantics", "looks at the counters of percpu_refs"),
    ("rseq/run-fences", "counts fences, of which a tracked percpu_ref needs none"),
    (
        "rseq/run-membarrier-filtered",
        "expects reports of fences, of which a tracked percpu_ref needs none",
    ),
    (
        "rseq/run-membarrier-refused",
        "expects reports of fences, of which a tracked percpu_ref needs none",
    ),
    ("rseq/run-used", "looks at the counters of percpu_refs"),
    ("tracker/run-events", "sets a tracker of its own"),
];

/// Programs that misuse a reference or keep one, on purpose or at the end of a child: a report is right.
const WRONG: [&str; 24] = [
    "faults/run-references",
    "faults/run-reports",
    "handoff/run-failed",
    "kref/run-differential",
    "headers/run-tsan-announced",
    "kref/run-oldp-threads",
    "kref/run-semantics",
    "kref/run-semantics-linux",
    "kref/run-semantics-oldp",
    "lookup/run-own-locks",
    "lookup/run-robust-mutex",
    "percpu/run-violations",
    "pool/run-memory",
    "pool/run-pool",
    "rseq/run-unregistered",
    "typed/run-typed",
    "violations/run-cancelled",
    "violations/run-checked",
    "violations/run-default-handler",
    "violations/run-fixed-addresses",
    "violations/run-hostile-path",
    "violations/run-misuse-of-each-function",
    "violations/run-options",
    "violations/run-wrapper",
];

fn main() {
    let trials = ways().into_iter().flat_map(|way| {
        programs().into_iter().map(move |name| {
            Trial::ignorable_test(format!("{name}::{}", way.name()), move || {
                unless_missing(way.compiler(), |compiler| tracked(&name, way, compiler))
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

#[derive(Clone, Copy)]
struct Way {
    compiler: Kind,
    library: Library,
    inline: bool,
}

impl Way {
    fn name(self) -> String {
        let inline = if self.inline { "inline" } else { "outofline" };
        format!("tracked::{}::{}::{inline}", self.compiler.name(), self.library.name())
    }

    fn compiler(self) -> Result<Compiler, String> {
        Compiler::need(self.compiler)
    }
}

fn ways() -> Vec<Way> {
    let usual = Way { compiler: Kind::Gcc, library: Library::Shared, inline: true };
    if std::env::var_os("KREF_TRACKED_WAYS").is_none() {
        return vec![usual];
    }
    let mut ways = Vec::new();
    for compiler in Kind::ALL {
        for library in [Library::Shared, Library::Static] {
            ways.extend([true, false].map(|inline| Way { compiler, library, inline }));
        }
    }
    ways
}

/// The folder and the name of each program, without those that are left out.
fn programs() -> Vec<String> {
    let entries = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("c-tests can be read");
        entries.map(|entry| entry.expect("c-tests can be read").path())
    };
    let files = entries(c_tests()).filter(|path| path.is_dir()).flat_map(entries);
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "c"))
        .map(|path| {
            let name = path.strip_prefix(c_tests()).expect("it is in c-tests").with_extension("");
            name.display().to_string()
        })
        .filter(|name| name.contains("/run-"))
        .filter(|name| LEFT_OUT.iter().all(|(left_out, _)| left_out != name))
        .collect();
    names.sort();
    names
}

/// The options of kref-track for a program: the program runs once with each. A program that is tracked without `--sample`
/// uses no restartable sequences. With `--sample 1/1` each object is tracked, and slots use sequences.
fn options(name: &str) -> &'static [&'static [&'static str]] {
    const WHOLE: &[&str] = &[];
    const WITH_SEQUENCES: &[&str] = &["--sample", "1/1"];
    match name {
        "faults/run-references" | "slot/run-fault" => &[WITH_SEQUENCES],
        _ if name.starts_with("rseq/") => &[WITH_SEQUENCES],
        _ if name.starts_with("slot/") => &[WHOLE, WITH_SEQUENCES],
        _ => &[WHOLE],
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn tracked(name: &str, way: Way, compiler: Compiler) -> Result<(), String> {
    let data = format!("-DDATA=\"{}\"", c_tests().join("data").display());
    let inline = if way.inline { "-UKREF_NO_INLINE" } else { "-DKREF_NO_INLINE" };
    let flags = [&WARNINGS[..], &["-O2", inline, &data]].concat();
    let program = compile_with(compiler, name, &flags, way.library);
    let stacks = ["-shared", "-fPIC", "-O1"];
    let stacks = compile(Compiler::any(), "tracker/programs/small-stacks", &stacks);
    let untracked = run(Command::new(&program).env("LD_PRELOAD", &stacks));
    for options in options(name) {
        let log = format!("tracked.{}.{name}{}.log", way.name(), options.concat());
        let log = scratch().join(log.replace(['/', ':'], "."));
        let _ = std::fs::remove_file(&log);
        let mut command = kref_track(&["--log-path", &log.to_string_lossy()]);
        command.args(*options).arg(&program).env("LD_PRELOAD", &stacks);
        let tracked = run(&mut command);
        let report = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        check(name, &untracked, &tracked, &report, &program)
            .map_err(|error| format!("{options:?}: {error}"))?;
    }
    Ok(())
}

fn check(
    name: &str,
    untracked: &Finished,
    tracked: &Finished,
    report: &str,
    program: &Path,
) -> Result<(), String> {
    let is_skipped = |ended: &Finished| ended.output.contains("skipped");
    if (tracked.status, tracked.signal) != (untracked.status, untracked.signal)
        || is_skipped(tracked) != is_skipped(untracked)
    {
        return Err(format!("{tracked:?}\n{report}\nuntracked: {untracked:?}"));
    }
    // Without the machine's support some programs do nothing, and the linker leaves libkref out.
    let uses_libkref = std::fs::read(program).is_ok_and(|file| contains(&file, b"kref_"));
    if !uses_libkref {
        return Ok(());
    }
    if tracked.output.contains("kref-track: ") || report.is_empty() == WRONG.contains(&name) {
        return Err(format!("{tracked:?}\nreported: {report}"));
    }
    Ok(())
}

//! gdb/kref.py in the real gdb: the words for each state of a count (counts.c), and that gdb finds
//! the installed file.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Finished, Kind, Prefix, WARNINGS, describe, folder, is_quick, kref_track,
    per_compiler, printed, project, run, unless_missing,
};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut trials: Vec<_> = [
        per_compiler("every_state_has_its_words", need, every_state_has_its_words),
        per_compiler("a_kref_is_found_wherever_it_is", need, a_kref_is_found_wherever_it_is),
        per_compiler("what_is_optimised_out_is_no_error", need, what_is_optimised_out_is_no_error),
        per_compiler("gdb_finds_the_installed_file", need, gdb_finds_the_installed_file),
    ]
    .into_iter()
    .flatten()
    .collect();
    // The quick tests have no kref-track.
    if !is_quick() {
        trials.push(Trial::ignorable_test("who_holds_an_object", || {
            unless_missing(need(Kind::Gcc), |_| {
                who_holds_an_object();
                Ok(())
            })
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The compiler, where gdb is there, too. Some systems have a gdb without Python.
fn need(kind: Kind) -> Result<Compiler, String> {
    if !run(Command::new("gdb").args(["-nx", "-batch", "-ex", "python import gdb"])).success {
        return Err("no gdb with Python on this machine".into());
    }
    Compiler::need(kind)
}

/// Compiles counts.c, and links the shared library or the archive with it.
fn compile(test: &str, compiler: Compiler, optimise: &str, is_shared: bool) -> PathBuf {
    let prefix = Prefix::plain();
    let program = folder(&format!("gdb-{test}-{}", compiler.kind().name())).join("counts");
    let mut compile = compiler.command();
    compile.args(WARNINGS).args(["-g", optimise]).arg(project().join("c-tests/gdb/counts.c"));
    compile.arg("-o").arg(&program).args(prefix.flags(&["--cflags", "kref-linux"]));
    if is_shared {
        compile.arg("-L").arg(prefix.lib()).arg("-lkref");
        compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display()));
    } else {
        compile.arg(prefix.archive()).args(["-pthread", "-ldl"]);
    }
    printed(&mut compile);
    program
}

/// Stops the program in look_around(), goes up to main(), and runs `commands` there. `settings` come
/// before gdb loads a file.
fn debug(program: &PathBuf, settings: &[&str], commands: &[&str]) -> Finished {
    let mut gdb = Command::new("gdb");
    // Nothing of the user's, of the network's or of the language's may change what gdb says.
    gdb.args(["-nx", "-batch"]).env("LC_ALL", "C").env_remove("DEBUGINFOD_URLS");
    for setting in [settings, &["set startup-with-shell off", "set print address off"]].concat() {
        gdb.args(["-iex", setting]);
    }
    for command in [&["break look_around", "run", "up"], commands].concat() {
        gdb.args(["-ex", command]);
    }
    run(gdb.arg(program))
}

/// What gdb prints for each expression with gdb/kref.py sourced.
fn shown(program: &PathBuf, prints: &[&str]) -> Vec<String> {
    let ended = debug(program, &[&source()], prints);
    let values = ended.output.lines().filter(|line| line.starts_with('$'));
    let values: Vec<_> =
        values.map(|line| line.split_once(" = ").expect("$1 = value").1.to_string()).collect();
    assert_eq!(values.len(), prints.len(), "{}", describe("gdb", &ended));
    values
}

fn source() -> String {
    format!("source {}", project().join("gdb/kref.py").display())
}

fn every_state_has_its_words(compiler: Compiler) {
    let program = compile("states", compiler, "-O0", false);
    let values = shown(&program, &["print states"]);
    let states: Vec<&str> = values[0].split("{expected = \"").skip(1).collect();
    for state in &states {
        let (expected, shown) = state.split_once("\", kref = ").expect("two members");
        assert_eq!(shown.trim_end_matches(['}', ',', ' ']), expected, "in {}", values[0]);
    }
    assert!(states.len() >= 19, "{}", values[0]);
}

fn a_kref_is_found_wherever_it_is(compiler: Compiler) {
    let program = compile("places", compiler, "-O0", false);
    let places = [
        ("print *session", "{id = 5, kref = 3 references}"),
        ("print session->kref", "3 references"),
        ("print session->kref.refcount", "3 references"),
        ("print session->kref.refcount.refs", "-2147483646"),
        ("print/r session->kref", "{refcount = {refs = -2147483646}}"),
        ("print/x session->kref.refcount.refs", "0x80000002"),
        ("print six", "{id = 6, kref = 1 reference}"),
        ("print six.kref", "1 reference"),
        ("print bare", "never initialised"),
        ("print pair", "{released, never initialised}"),
        ("print other", "{refcount = {refs = {counter = 1}}}"),
    ];
    let values = shown(&program, &places.map(|(print, _)| print));
    for ((print, expected), value) in places.iter().zip(values) {
        assert_eq!(value, *expected, "{print}");
    }
}

/// Only some compilers drop a kref and keep the struct around the kref. Python must fail for none.
fn what_is_optimised_out_is_no_error(compiler: Compiler) {
    let program = compile("optimised", compiler, "-O2", false);
    let ended = debug(&program, &[&source()], &["info locals"]);
    let is_shown = ended.output.contains("\npartly = ") && !ended.output.contains("Python");
    assert!(is_shown, "{}", describe("gdb", &ended));
}

/// gdb looks for `DIRECTORY/PATH-of-the-library-gdb.py` in each of its directories. That of a gdb
/// in /usr is /usr/share/gdb/auto-load; the test adds that of the prefix.
fn gdb_finds_the_installed_file(compiler: Compiler) {
    let program = compile("auto-load", compiler, "-O0", true);
    let library = Prefix::plain().lib().join("libkref.so").canonicalize().expect("a library");
    let directory = Prefix::plain().lib().with_file_name("share/gdb/auto-load");
    let script = format!("{}{}-gdb.py", directory.display(), library.display());
    let settings = ["scripts-directory", "safe-path"]
        .map(|name| format!("add-auto-load-{name} {}", directory.display()));
    let commands = ["print *session", "info auto-load python-scripts"];
    let ended = debug(&program, &settings.each_ref().map(|setting| &**setting), &commands);
    let is_loaded = ended.output.lines().any(|line| line.split_whitespace().eq(["Yes", &script]));
    let is_shown = ended.output.contains("$1 = {id = 5, kref = 3 references}\n");
    assert!(is_loaded && is_shown, "not {script}: {}", describe("gdb", &ended));
}

/// `kref holders` in a live program and for a core file, and the messages if it cannot answer.
fn who_holds_an_object() {
    let program = kref_track::compile(Compiler::any(), "tracker/reports/balance", &["-O0"]);
    let folder = folder("gdb-holders");
    let (core, trace) = (folder.join("core"), folder.join("trace"));
    let bin = Prefix::plain().kref_track().parent().expect("a folder").to_path_buf();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let gdb = |command: &mut Command, commands: &[&str], last: &[&PathBuf]| {
        command.env("PATH", &path).env("LC_ALL", "C").env_remove("DEBUGINFOD_URLS");
        command.args(["-nx", "-batch", "-iex", "set startup-with-shell off", "-ex", &source()]);
        commands.iter().for_each(|it| _ = command.args(["-ex", it]));
        run(command.args(last)).output
    };
    let dump = format!("generate-core-file {}", core.display());
    let live =
        ["break serve", "run", "kref holders &shared->kref", "kref holders shared->kref", &dump];
    let wrong = ["kref holders 0x10", "kref holders", "kref holders &shared->kref --trace"];
    let options = ["--log-path", "/dev/null", "--trace", &trace.display().to_string()];
    let mut tracked = kref_track::kref_track(&options);
    let said = gdb(tracked.arg("gdb"), &[&live[..], &wrong].concat(), &[&program]);
    let holders = [
        "kref-track: 2 references on object #1 at 0x",
        ", session\n",
        "held: 1 reference by the creator",
    ];
    for text in holders {
        assert_eq!(said.matches(text).count(), 2, "{text} in {said}");
    }
    let messages =
        ["no tracked object is at 0x10", "which object?", "--trace needs the name of a file"];
    messages.iter().for_each(|text| assert!(said.contains(text), "no {text:?} in {said}"));

    let of_trace = format!("kref holders &shared->kref --trace {}", trace.display());
    let commands = ["kref holders &shared->kref", &of_trace];
    let said = gdb(&mut Command::new("gdb"), &commands, &[&program, &core]);
    holders.iter().for_each(|text| assert!(said.contains(text), "no {text:?} in {said}"));
    let none = ": tracked, 2 references. No process runs: give the trace with --trace FILE.";
    assert!(said.contains(none), "{said}");

    let untracked = ["break serve", "run", "kref holders &shared->kref"];
    let said = gdb(&mut Command::new("gdb"), &untracked, &[&program]);
    let how =
        ": 2 references. The program is not tracked: start it by `kref-track gdb --args PROGRAM`.";
    assert!(said.contains(how), "{said}");
}

//! Checks KREF_OPTIONS=track=1: where libkref looks for a tracker, which options the tracker gets,
//! and which message appears if there is no tracker.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{Compiler, Prefix, c_tests, folder, plain, run, soname, track_soname};
use libtest_mimic::Arguments;

const TOLD: &str = "created\ngot 2 for cache\ngot 3 for nobody\nreleased\nreport\ntracked\n";
const UNTRACKED: &str = "untracked\n";

fn main() -> ExitCode {
    let trials = vec![
        plain("the_variable_names_the_tracker", the_variable_names_the_tracker),
        plain(
            "a_tracker_beside_the_shared_library_is_found",
            a_tracker_beside_the_shared_library_is_found,
        ),
        plain(
            "a_tracker_where_the_loader_looks_is_found",
            a_tracker_where_the_loader_looks_is_found,
        ),
        plain("without_track_1_no_tracker_is_loaded", without_track_1_no_tracker_is_loaded),
        plain("a_missing_tracker_is_reported", a_missing_tracker_is_reported),
        plain("a_library_that_is_no_tracker_is_reported", a_library_that_is_no_tracker_is_reported),
        plain("a_static_program_cannot_be_tracked", a_static_program_cannot_be_tracked),
        plain("the_tracker_gets_all_options", the_tracker_gets_all_options),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn compile(source: &str, flags: &[&str], to: &Path) {
    let mut compile = Compiler::any().command();
    compile.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"]);
    compile
        .arg("-I")
        .arg(Prefix::plain().include())
        .arg(c_tests().join("tracker/loading").join(source));
    let compiled = run(compile.arg("-o").arg(to).args(flags));
    assert!(compiled.success, "{source}:\n{}", compiled.output);
}

/// Builds the test's tracker into the folder `kref` of `folder`, where libkref looks.
fn beside(folder: &Path, flags: &[&str]) -> PathBuf {
    let folder = folder.join("kref");
    std::fs::create_dir_all(&folder).unwrap();
    tracker(&folder, flags)
}

/// Builds the test's tracker into `folder`, with the name that libkref looks for.
fn tracker(folder: &Path, flags: &[&str]) -> PathBuf {
    let library = folder.join(track_soname());
    compile("tracker.c", &[&["-shared", "-fPIC"], flags].concat(), &library);
    library
}

/// Builds the program, linked with a copy of libkref.so in the same folder, or with libkref.a.
fn program(folder: &Path, shared: bool, flags: &[&str]) -> Command {
    let program = folder.join("program");
    let installed = Prefix::plain().lib();
    if shared {
        std::fs::copy(installed.join(soname()), folder.join(soname())).unwrap();
        let library = folder.join(soname()).display().to_string();
        let rpath = format!("-Wl,-rpath,{}", folder.display());
        compile("program.c", &[flags, &[&library, &rpath, "-pthread"]].concat(), &program);
    } else {
        let library = Prefix::plain().archive().display().to_string();
        compile("program.c", &[flags, &[&library, "-pthread"]].concat(), &program);
    }
    Command::new(program)
}

/// The program's output with these options. The program must exit with status 0.
fn says(program: &mut Command, options: &str) -> String {
    let ended = run(program.env("KREF_OPTIONS", options));
    assert!(ended.success, "KREF_OPTIONS={options}:\n{}", ended.output);
    ended.output
}

/// Checks that the output is one message with all of `words`, and that the program ran untracked.
fn one_line(said: &str, words: &[&str]) {
    let line = said.strip_suffix(UNTRACKED).unwrap_or_else(|| panic!("not untracked: {said}"));
    assert!(line.starts_with("kref: ") && line.lines().count() == 1, "{said}");
    for word in words {
        assert!(line.contains(word), "no word of {word}: {said}");
    }
}

fn the_variable_names_the_tracker() {
    let library = tracker(&folder("loading/variable-library"), &[]);
    for (name, shared) in [("variable-shared", true), ("variable-static", false)] {
        for inline in ["-UKREF_NO_INLINE", "-DKREF_NO_INLINE"] {
            let mut program = program(&folder(&format!("loading/{name}")), shared, &[inline]);
            program.env("KREF_TRACK_LIBRARY", &library);
            let said = says(&mut program, "track=1");
            assert_eq!(said, format!("started with track=1\n{TOLD}"), "{name} {inline}");
        }
    }
}

fn a_tracker_beside_the_shared_library_is_found() {
    let here = folder("loading/beside");
    beside(&here, &[]);
    let mut program = program(&here, true, &[]);
    // Neither the working directory nor the loader's path changes that.
    program.current_dir("/").env("LD_LIBRARY_PATH", "/nowhere");
    assert_eq!(
        says(&mut program, "track=1:depth=8"),
        format!("started with track=1:depth=8\n{TOLD}")
    );
}

fn a_tracker_where_the_loader_looks_is_found() {
    let (here, there) = (folder("loading/program-alone"), folder("loading/library-path"));
    tracker(&there, &[]);
    for shared in [true, false] {
        let mut program = program(&here, shared, &[]);
        program.env("LD_LIBRARY_PATH", &there);
        assert_eq!(says(&mut program, "track=1"), format!("started with track=1\n{TOLD}"));
    }
}

fn without_track_1_no_tracker_is_loaded() {
    let here = folder("loading/off");
    beside(&here, &[]);
    let mut program = program(&here, true, &[]);
    for options in ["", "track=0", "on_violation=quiet", "track=1:track=0"] {
        assert_eq!(says(&mut program, options), UNTRACKED, "KREF_OPTIONS={options}");
    }
    for options in ["track=yes", "track", "depth=8", "track=0:depth=8"] {
        let wrong = options.rsplit([':', '=']).find(|&word| word != "8").unwrap();
        let wrong = if options == "track" { "track" } else { wrong };
        one_line(&says(&mut program, options), &["KREF_OPTIONS", "unknown", wrong, "track=1"]);
    }
}

fn a_missing_tracker_is_reported() {
    let here = folder("loading/missing");
    for shared in [true, false] {
        let mut program = program(&here, shared, &[]);
        let said = says(&mut program, "track=1");
        one_line(&said, &[&track_soname(), "where the loader looks", "install", "KREF_TRACK_"]);
        let beside = here.join("kref").join(track_soname()).display().to_string();
        assert_eq!(said.contains(&beside), shared, "{said}");
        program.env("KREF_TRACK_LIBRARY", "/nowhere/mine.so");
        one_line(&says(&mut program, "track=1"), &["/nowhere/mine.so", "No such file"]);
    }
}

fn a_library_that_is_no_tracker_is_reported() {
    let here = folder("loading/no-tracker");
    let mut program = program(&here, true, &[]);
    beside(&here, &["-Dkref_track_start=something_else"]);
    one_line(&says(&mut program, "track=1"), &["no kref_track_start", &track_soname()]);
    beside(&here, &["-DWRONG_SIZE"]);
    let said = says(&mut program, "track=1");
    one_line(said.strip_prefix("started with track=1\n").expect(&said), &["size"]);
    // A tracker that refuses to start has printed its own message.
    beside(&here, &["-DUNWILLING"]);
    assert_eq!(says(&mut program, "track=1"), format!("started with track=1\n{UNTRACKED}"));
}

fn a_static_program_cannot_be_tracked() {
    let mut program = program(&folder("loading/static"), false, &["-static"]);
    one_line(&says(&mut program, "track=1"), &["no dynamic loader", "not tracked"]);
    assert_eq!(says(&mut program, "on_violation=abort"), UNTRACKED);
}

fn the_tracker_gets_all_options() {
    let here = folder("loading/options");
    beside(&here, &[]);
    let mut program = program(&here, true, &[]);
    let options = "depth=8:on_violation=abort:track=1:log_path=/tmp/x.%p:";
    assert_eq!(says(&mut program, options), format!("started with {options}\n{TOLD}"));
    let said = says(&mut program, "track=1:on_violation=panic");
    assert!(said.starts_with("kref: KREF_OPTIONS: unknown value \"panic\""), "{said}");
    assert!(said.ends_with(TOLD), "{said}");
}

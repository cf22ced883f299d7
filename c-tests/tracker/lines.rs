//! The names and lines of the frames: of inlined functions, of C++, of libraries that are gone, and without debug
//! information.

use std::process::Command;

use kref_c_tests::kref_track::{compile, compile_with, contains, kref_track, track};
use kref_c_tests::{Compiler, Library, c_tests, per_compiler, plain, run};
use libtest_mimic::Trial;

use super::here;

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        plain("unloaded-library", unloaded_library),
        plain("release-function-in-an-unloaded-library", release_unloaded),
        plain("stripped", stripped),
    ];
    tests.extend(per_compiler("inlined", Compiler::need, |compiler| {
        for flags in
            [&["-O2"][..], &["-O2", "-no-pie", "-fno-pie"], &["-O0"], &["-O2", "-gdwarf-4"]]
        {
            inlined(compiler, flags);
        }
    }));
    tests.extend(per_compiler("stacks-without-macros", Compiler::need, stacks_without_macros));
    tests.extend(per_compiler("tail-calls", Compiler::need, tail_calls));
    tests.extend(per_compiler("references-of-c++", Compiler::need_cpp, references_of_cpp));
    tests.extend(per_compiler("names-of-c++", Compiler::need_cpp, names_of_cpp));
    tests.extend(per_compiler("static-archive", Compiler::need, static_archive));
    tests
}

fn unloaded_library() {
    let plugin = compile(Compiler::any(), "tracker/reports/plugin", &["-shared", "-fPIC"]);
    let ended = track("reports/loader", &[], &[&plugin.to_string_lossy()]);
    contains(&ended, &["    plugin_hold ", "tracker/reports/plugin.c:", "    main "]);
}

/// No stack has a function of the library. The address of its release function alone leads to it.
fn release_unloaded() {
    let plugin = compile(Compiler::any(), "tracker/reports/plugin", &["-shared", "-fPIC"]);
    let ended = track("reports/release-unloaded", &[], &[&plugin.to_string_lossy()]);
    contains(&ended, &["\nplugin_release: 1 reference on 1 object\n"]);
}

fn stripped() {
    let program = compile(Compiler::any(), "tracker/reports/holders", &["-O1", "-fno-ident"]);
    // No other test runs the program that these flags build.
    let strip = run(Command::new("strip").arg(&program));
    assert!(strip.success, "{}", strip.output);
    let ended = run(kref_track(&[]).arg(&program));
    let name = program.file_name().expect("a name").to_string_lossy();
    contains(&ended, &["15 references of \"index\"", &format!("    {name}+0x")]);
}

fn inlined(compiler: Compiler, flags: &[&str]) {
    let program = compile(compiler, "tracker/reports/inlined", flags);
    let ended = run(kref_track(&[]).arg(program));
    contains(&ended, &["    keep ", &here("reports/inlined"), "    main "]);
}

fn static_archive(compiler: Compiler) {
    let program = compile_with(compiler, "tracker/reports/inlined", &["-O1"], Library::Static);
    let ended = run(kref_track(&[]).arg(program));
    contains(&ended, &["1 reference, on object #1", &here("reports/inlined")]);
    let first = ended.output.lines().find(|line| line.starts_with("    ")).expect("a frame");
    assert!(first.starts_with("    keep "), "libkref's own frames are left out: {first}");
}

/// Not at KREF_DEFINE(). A function that the program has written itself is shown.
fn stacks_without_macros(compiler: Compiler) {
    for flags in [&["-O0"][..], &["-O2"], &["-O2", "-g1"], &["-O2", "-DKREF_NO_INLINE"]] {
        let program = compile(compiler, "tracker/reports/typed", flags);
        let ended = run(kref_track(&[]).arg(program));
        contains(&ended, &[":\n    session_new ", ":\n    main ", ":\n    page_ref "]);
        for line in lines_of("tracker/reports/typed.c", "KREF_DEFINE(") {
            assert!(!ended.output.contains(&format!("typed.c:{line}\n")), "{}", ended.output);
        }
    }
}

fn lines_of(source: &str, text: &str) -> Vec<usize> {
    let source = std::fs::read_to_string(c_tests().join(source)).expect("a source file");
    let lines = source.lines().zip(1..).filter(|(line, _)| line.contains(text));
    lines.map(|(_, number)| number).collect()
}

/// A function whose last call was a jump is shown, if there is one way alone from its caller to the get.
fn tail_calls(compiler: Compiler) {
    let source = "tracker/reports/tail-calls";
    for flags in [&["-O2"][..], &["-O2", "-gdwarf-4"]] {
        let program = compile(compiler, source, flags);
        let line = |mark| lines_of(&format!("{source}.c"), mark)[0];
        let direct = format!("direct {source}.c:{} (tail call)", line("DIRECT"));
        let outer = format!("outer {source}.c:{} (tail call)", line("OUTER"));
        for (way, wanted) in [
            ("direct", &["job_get ", &direct, "main "][..]),
            ("outer", &["job_get ", &direct, &outer, "main "]),
            ("twice", &["job_get ", "main "]),
            ("indirect", &["job_get ", "main "]),
        ] {
            let ended = run(kref_track(&[]).arg(&program).arg(way));
            let frames = ended.output.lines().skip_while(|line| !line.contains(" taken "));
            let frames: Vec<_> = frames.skip(1).map(str::trim).take(wanted.len()).collect();
            let pairs = frames.iter().zip(wanted);
            let is_right = pairs.clone().count() == wanted.len()
                && pairs.clone().all(|(frame, wanted)| frame.starts_with(wanted));
            assert!(is_right, "{way}: {}", ended.output);
        }
    }
}

/// The stacks begin in the program, and not in kref.hpp, whose functions have the names of its types.
fn references_of_cpp(compiler: Compiler) {
    for level in ["-O0", "-O2"] {
        let program = compile(compiler, "tracker/reports/references", &["-std=c++11", level]);
        let ended = run(kref_track(&[]).arg(program));
        contains(&ended, &["\nnamed: 1 reference on 1 object\n", ":\n    named::named "]);
        contains(&ended, &["\njob_put: 2 references on 1 object\n", ":\n    keep", ":\n    grab"]);
        assert!(!ended.output.contains("kref.hpp"), "{}", ended.output);
    }
}

/// With the class and the namespace, and without the parameters; also where the debug information has no linkage name.
/// With -g1 an inlined function without a linkage name has no class either.
fn names_of_cpp(compiler: Compiler) {
    for flags in [&["-O1"][..], &["-O2"], &["-O2", "-g1"]] {
        let program =
            compile(compiler, "tracker/reports/names", &[&["-std=c++11"], flags].concat());
        for (how, name) in [
            ("template", "net::pool::slot<object>::fill"),
            ("method", "net::session::open"),
            ("inlined method", "net::session::reopen"),
            ("operator", "net::session::operator+="),
            ("anonymous", "net::(anonymous namespace)::hidden::hold"),
            ("inlined anonymous", "net::(anonymous namespace)::hidden::inlined"),
        ] {
            let short = name.rsplit("::").next().unwrap_or(name);
            let may_be_short = how.starts_with("inlined") && flags.contains(&"-g1");
            let ended = run(kref_track(&[]).arg(&program).arg(how));
            contains(&ended, &["names.cpp:", "\n    main "]);
            let names = [Some(name), may_be_short.then_some(short)];
            let mut names = names.iter().flatten().map(|name| format!("\n    {name} "));
            assert!(names.any(|name| ended.output.contains(&name)), "{}", ended.output);
        }
        let ended = run(kref_track(&[]).arg(&program).arg("lambda"));
        contains(&ended, &["\n    by_lambda"]);
        let first = ended.output.lines().find(|line| line.starts_with("    ")).expect("a frame");
        assert!(first.starts_with("    by_lambda") && first.contains("::operator() "), "{first}");
    }
}

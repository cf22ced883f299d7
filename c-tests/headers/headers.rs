//! Checks the headers: include/ has what src/capi generates, no Rust words are left in it, each header
//! compiles without a warning in every dialect, and each ordering and announcement is needed.

mod hpp;
mod orderings;
mod twins;
mod warnings;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::declarations::{PUBLIC, SLOW};
use kref_c_tests::{
    Compiler, Finished, Prefix, Sanitizer, c_tests, is_quick, is_rest, per_compiler, plain,
    printed, project, run, scratch,
};
use libtest_mimic::{Arguments, Trial};

use warnings::{dialects, every_warning_in_c, every_warning_in_cpp, need_known, need_known_cpp};

const HEADERS: [&str; 19] = [
    "kref.h",
    "kref/compiler.h",
    "kref/count.h",
    "kref/inline.h",
    "kref/percpu.h",
    "kref/pool.h",
    "kref/percpu_inline.h",
    "kref/rseq/aarch64.h",
    "kref/rseq/riscv64.h",
    "kref/rseq/x86_64.h",
    "kref/slot.h",
    "kref/slow.h",
    "kref/track.h",
    "kref/tsan.h",
    "kref/typed.h",
    "linux/kref.h",
    "linux/percpu-refcount.h",
    "linux/refcount.h",
    "linux/refcount_types.h",
];
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

fn main() -> ExitCode {
    let mut trials = vec![
        plain("the_headers_are_generated_from_src_capi", the_headers_are_generated_from_src_capi),
        plain("no_header_has_rust_words", no_header_has_rust_words),
        plain(
            "no_header_names_a_file_that_is_not_installed",
            no_header_names_a_file_that_is_not_installed,
        ),
        plain("all_headers_are_installed", all_headers_are_installed),
        plain("every_wrong_twin_fails", twins::every_wrong_twin_fails),
    ];
    trials.extend(
        [
            per_compiler(
                "first_page_of_kref_hpp",
                Compiler::need_cpp,
                hpp::the_example_on_its_first_page,
            ),
            per_compiler("first_page", Compiler::need, the_example_on_the_first_page),
            per_compiler("c_plus_plus", Compiler::need_cpp, c_plus_plus),
            per_compiler("dead_functions", Compiler::need, dead_functions_are_dropped),
        ]
        .into_iter()
        .flatten(),
    );
    if !is_rest() {
        trials.extend(per_compiler("every_header_in_c", Compiler::need, every_header_in_c));
        trials.extend(per_compiler(
            "every_header_in_c_plus_plus",
            Compiler::need_cpp,
            every_header_in_cpp,
        ));
    }
    if !is_quick() {
        trials.extend(slow_tests().into_iter().flatten());
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Each dialect and each warning, and the header weakened at one place after the other.
fn slow_tests() -> [Vec<Trial>; 6] {
    let with_tsan = |kind| Compiler::need_with(kind, Sanitizer::Thread);
    [
        per_compiler("kref_hpp", Compiler::need_cpp, hpp::its_programs_in_every_dialect),
        per_compiler("every_warning_in_kref_hpp", need_known_cpp, hpp::every_warning_of_it),
        per_compiler("every_warning_in_c", need_known, every_warning_in_c),
        per_compiler("every_warning_in_c_plus_plus", need_known_cpp, every_warning_in_cpp),
        per_compiler("every_ordering", with_tsan, orderings::every_ordering_is_needed),
        per_compiler(
            "every_announcement",
            with_tsan,
            orderings::every_announcement_of_tsan_h_is_needed,
        ),
    ]
}

fn folder(name: &str) -> PathBuf {
    let folder = scratch().join("headers").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn include() -> PathBuf {
    project().join("include")
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap()
}

/// The headers that src/capi describes.
fn generated() -> impl Iterator<Item = &'static str> {
    PUBLIC.into_iter().chain([SLOW])
}

fn the_headers_are_generated_from_src_capi() {
    let made = folder("made");
    generate(&made);
    for header in generated() {
        std::fs::write(made.join(header), "edited by hand").unwrap();
        generate(&made);
        assert!(
            read(made.join(header)) == read(include().join(header)),
            "include/{header} is not what src/capi makes. To mend it: make header"
        );
    }
}

/// Generates the headers as `make header` does, but into another folder.
fn generate(into: &Path) {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(project()).args(["build", "--locked", "-p", "kref", "--features", "header"]);
    cargo.arg("--target-dir").arg(folder("cargo")).env("KREF_INCLUDE", into);
    let built = run(&mut cargo);
    assert!(built.success, "cbindgen failed:\n{}", built.output);
}

fn no_header_has_rust_words() {
    for header in generated() {
        let text = read(include().join(header));
        for foreign in
            ["::", "```", "[`", "# Safety", "Option<", "*mut ", "*const ", "unsafe", "&self"]
        {
            assert!(!text.contains(foreign), "{header} contains {foreign:?}, which is not C");
        }
    }
}

/// A reader of an installed header has the installed files alone. So each path in a header is that of a header.
fn no_header_names_a_file_that_is_not_installed() {
    let mut found = 0;
    for header in installed_headers() {
        let text = read(include().join(&header));
        let is_path = |c: char| c.is_alphanumeric() || "/._-<".contains(c);
        let words = text.split(|c| !is_path(c)).map(|word| word.trim_matches(['.', '<']));
        for word in words {
            let is_elsewhere = word.ends_with(".rs")
                || ["src/", "docs/", "c-tests/", "tests/"]
                    .iter()
                    .any(|folder| word.starts_with(folder));
            assert!(!is_elsewhere, "{header} names {word}, which is not installed");
            if word.starts_with("kref/") && word.ends_with(".h") {
                found += 1;
                assert!(
                    include().join(word).exists(),
                    "{header} names {word}, which does not exist"
                );
            }
        }
    }
    assert!(found > 30, "only {found} headers are named");
}

/// The headers of include/, as paths below it.
fn installed_headers() -> Vec<String> {
    let found = printed(
        Command::new("find")
            .current_dir(include())
            .args([".", "-name", "*.h*", "-printf", "%P\\n"]),
    );
    found.lines().map(str::to_string).collect()
}

fn all_headers_are_installed() {
    let makefile = read(project().join("Makefile"));
    let list = makefile.split("\nHEADERS := ").nth(1).unwrap().replace("\\\n", " ");
    let mut listed: Vec<&str> = list.lines().next().unwrap().split_whitespace().collect();
    let mut found = installed_headers();
    listed.sort();
    found.sort();
    assert_eq!(listed, found, "HEADERS of the Makefile, and include/");
}

fn every_header_in_c(compiler: Compiler) {
    every_header(compiler, "c");
}

fn every_header_in_cpp(compiler: Compiler) {
    every_header(compiler, "c++");
}

/// Includes each header alone, and twice, with each of the options that change the header, in the oldest and in
/// the newest dialect. The test of every warning has the dialects between.
fn every_header(compiler: Compiler, language: &str) {
    let uses = [
        &[][..],
        &["-DKREF_NO_INLINE"],
        &["-fsanitize=thread"],
        &["-fsanitize=thread", "-DKREF_NO_INLINE"],
    ];
    let all = dialects(compiler, language);
    let dialects = [all[0], all[all.len() - 1]];
    let source = folder(&format!("dialects-{language}")).join(compiler.kind().name());
    let only_cpp: &[&str] = if language == "c" { &[] } else { &["kref.hpp"] };
    for header in HEADERS.iter().chain(only_cpp) {
        let use_it =
            "unsigned f(struct kref *k);\nunsigned f(struct kref *k) { return kref_read(k); }";
        let text = format!("#include <{header}>\n#include <{header}>\n{use_it}\n");
        std::fs::write(&source, text).unwrap();
        for (dialect, use_) in dialects.iter().flat_map(|d| uses.iter().map(move |u| (d, u))) {
            let mut compile = compiler.command();
            compile.args(WARNINGS).args(["-x", language, dialect]).args(*use_);
            compile.arg("-I").arg(include()).arg("-I").arg(include().join("kref"));
            let compiled = run(compile.arg("-fsyntax-only").arg(&source));
            assert!(compiled.success, "{header} as {dialect} {use_:?}:\n{}", compiled.output);
        }
    }
}

/// Compiles `source` with the installed libkref, and runs the program.
fn build_and_run(compiler: Compiler, source: &Path, flags: &[&str]) -> Finished {
    let program = source.with_extension(compiler.kind().name());
    let mut compile = compiler.command();
    compile.args(WARNINGS).args(flags).arg(source).arg("-o").arg(&program);
    compile.args(Prefix::plain().flags(&["--cflags", "--libs", "kref-linux"]));
    if source.extension().is_some_and(|ending| ending == "cpp") {
        compile.args(compiler.cpp_flags());
    }
    let compiled = run(&mut compile);
    assert!(compiled.success, "{}:\n{}", source.display(), compiled.output);
    run(kref_c_tests::program(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()))
}

/// gc-sections.c says why.
fn dead_functions_are_dropped(compiler: Compiler) {
    let program = folder("gc-sections").join(compiler.kind().name());
    let mut compile = compiler.command();
    compile.args(WARNINGS).args(["-O2", "-ffunction-sections", "-Wl,--gc-sections"]);
    compile.arg(project().join("c-tests/headers/gc-sections.c")).arg("-o").arg(&program);
    compile.args(Prefix::plain().flags(&["--cflags", "--libs", "kref"]));
    printed(&mut compile);
    let symbols = printed(Command::new("nm").arg(&program));
    assert!(symbols.contains(" main"), "{symbols}");
    assert!(!symbols.contains("dead_"), "{symbols}");
}

fn the_example_on_the_first_page(compiler: Compiler) {
    let header = read(include().join("kref.h"));
    let page = header.split("*/").next().unwrap().split("A complete example:").nth(1).unwrap();
    let lines = page.lines().skip(1).skip_while(|line| *line == " *");
    let lines =
        lines.map_while(|line| line.strip_prefix(" *     ").or((line == " *").then_some("")));
    let example: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(example.starts_with("#include <kref.h>") && example.contains("int main"), "{example}");
    let source = folder("example").join("example.c");
    std::fs::write(&source, example).unwrap();
    let ended = build_and_run(compiler, &source, &["-std=c99"]);
    assert!(ended.success && ended.output == "job 7\n", "{ended:?}");
}

/// A C++17 program of two files, which also uses the kernel's names. It is built inline and out of
/// line, and at -O0, where both files have their own copy of an inline function.
fn c_plus_plus(compiler: Compiler) {
    let cpp = c_tests().join("headers/cpp");
    let (hot, here) = (cpp.join("hot.cpp"), format!("-I{}", cpp.display()));
    for (inline, optimise) in
        [("-UKREF_NO_INLINE", "-O0"), ("-UKREF_NO_INLINE", "-O2"), ("-DKREF_NO_INLINE", "-O1")]
    {
        let copy = folder("cpp").join(format!("use{inline}{optimise}.cpp"));
        std::fs::copy(cpp.join("use.cpp"), &copy).unwrap();
        let hot = hot.to_str().unwrap();
        let flags = ["-x", "c++", "-std=c++17", optimise, inline, &here, hot];
        let ended = build_and_run(compiler, &copy, &flags);
        assert!(ended.success, "{inline} {optimise}: {ended:?}");
    }
}

//! Every warning that the compilers have, in every dialect.

use kref_c_tests::{Compiler, Kind, c_tests, printed, run};

use super::include;

/// A newer compiler has warnings that nobody has looked at yet.
pub fn need_known(kind: Kind) -> Result<Compiler, String> {
    let compiler = Compiler::need(kind)?;
    let version = printed(compiler.command().arg("-dumpversion"));
    let known = if kind == Kind::Gcc { "12" } else { "19" };
    match version.trim().split('.').next() {
        Some(major) if major == known => Ok(compiler),
        _ => Err(format!("every warning is looked at for {} {known} alone", kind.name())),
    }
}

pub fn need_known_cpp(kind: Kind) -> Result<Compiler, String> {
    Compiler::need_cpp(kind).and(need_known(kind))
}

pub fn every_warning_in_c(compiler: Compiler) {
    // -Wtraditional, and -Wtraditional-conversion with it, warn of C with prototypes.
    every_warning(compiler, "c", "uses.c", &["-Wtraditional"]);
}

pub fn every_warning_in_cpp(compiler: Compiler) {
    // The headers are C: `struct` before a type's name.
    every_warning(compiler, "c++", "uses.c", &["-Wredundant-tags"]);
}

/// The warnings of no use in either language.
const UNWANTED: [&str; 7] = [
    "-Wc90-c99-compat",         // KREF_GUARD() declares in the head of a loop
    "-Wused-but-marked-unused", // a program need not use all functions of KREF_DEFINE()
    "-Wabi",                    // says only that it has nothing to say
    "-Wpadded",                 // the layout is fixed
    "-Wpre-c23-compat",         // bool is C23's own there, and from <stdbool.h> before
    "-Wreserved-identifier",    // ThreadSanitizer's functions have such names
    "-Wunsafe-buffer-usage",    // container_of() is pointer arithmetic
];

/// Compiles what the headers inline and expand, with the headers in a folder of the program's own: in a
/// system folder they would bring no warning.
pub fn every_warning(compiler: Compiler, language: &str, source: &str, unwanted: &[&str]) {
    let source = c_tests().join("headers").join(source);
    let warnings = warnings(compiler, language);
    assert!(warnings.len() > 150 || compiler.kind() == Kind::Clang, "{warnings:?}");
    let own_locks = [
        &format!("-I{}", c_tests().join("install/kernel/port").display()),
        "-DKREF_LINUX_MUTEX_HEADER=\"linux/mutex.h\"",
        "-DKREF_LINUX_SPINLOCK_HEADER=\"linux/spinlock.h\"",
    ];
    let uses = [
        &["-UKREF_NO_INLINE"][..],
        &["-DKREF_NO_INLINE"],
        &["-DKREF_CHECKED=9"],
        &["-fsanitize=thread"],
        &own_locks,
    ];
    // Every dialect, and every use in the oldest and in the newest one.
    let dialects = dialects(compiler, language);
    let between = dialects[1..dialects.len() - 1].iter().map(|dialect| (dialect, uses[0]));
    let ends = [dialects[0], dialects[dialects.len() - 1]];
    let all = ends.iter().flat_map(|dialect| uses.map(|use_| (dialect, use_))).chain(between);
    for (dialect, use_) in all {
        let mut compile = compiler.command();
        compile.args(["-x", language, dialect, "-O2", "-c", "-o", "/dev/null"]).args(use_);
        compile.args(["-Wall", "-Wextra", "-Wpedantic"]).args(&warnings);
        compile.arg("-I").arg(include()).arg("-I").arg(include().join("kref"));
        let compiled = run(compile.arg(&source));
        assert!(compiled.success, "{dialect} {use_:?}:\n{}", compiled.output);
        let wanted = |line: &&str| {
            let name = line.rsplit_once('[').map(|(_, name)| name.trim_end_matches(']'));
            let is_unwanted = |name: &str| {
                UNWANTED.iter().chain(unwanted).any(|unwanted| name.starts_with(unwanted))
            };
            name.is_some_and(|name| name.starts_with("-W") && !is_unwanted(name))
        };
        let found: Vec<&str> = compiled.output.lines().filter(wanted).collect();
        assert!(found.is_empty(), "{dialect} {use_:?}:\n{}", found.join("\n"));
    }
}

/// The dialects that the compiler knows: gcc 12 does not know the last ones.
pub fn dialects(compiler: Compiler, language: &str) -> Vec<&'static str> {
    let all = match language {
        "c" => ["-std=gnu89", "-std=c99", "-std=c11", "-std=c17", "-std=c2x", "-std=c2y"],
        _ => ["-std=c++11", "-std=c++14", "-std=c++17", "-std=c++20", "-std=c++23", "-std=c++26"],
    };
    let known = |dialect: &&str| {
        let mut compile = compiler.command();
        run(compile.args(["-x", language, dialect, "-fsyntax-only", "/dev/null"])).success
    };
    let known: Vec<_> = all.into_iter().filter(known).collect();
    assert!(known.len() > 4, "{known:?}");
    known
}

/// Every warning of the compiler's: gcc has no flag for all of them, but lists them.
fn warnings(compiler: Compiler, language: &str) -> Vec<String> {
    if compiler.kind() == Kind::Clang {
        return vec!["-Weverything".into()];
    }
    let listed = printed(compiler.command().args(["-Q", "--help=warnings"]));
    let warning = |line: &str| {
        let (name, state) =
            line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let other_language =
            state.contains("[available") && (language == "c" || !state.contains("C++"));
        let is_no_warning = !name.starts_with("-W") || name.starts_with("-Wno-");
        // -Wsystem-headers would bring what libc's headers do.
        if is_no_warning || other_language || name == "-Wsystem-headers" || name.ends_with('-') {
            return None;
        }
        // -Wformat=<0,2>: the highest level. Other options with a value have no level for everything.
        match name.split_once("=<") {
            Some((name, levels)) => {
                let highest = levels.strip_suffix('>')?.split_once(',')?.1;
                Some(format!("{name}={highest}"))
            }
            None => (!name.contains(['=', '<'])).then(|| name.to_string()),
        }
    };
    listed.lines().filter_map(warning).collect()
}

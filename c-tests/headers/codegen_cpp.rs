//! libkref::ref costs what the calls of C cost: each function of codegen.cpp that uses a ref has the instructions of its
//! twin, which calls the functions that KREF_DEFINE made.

use kref_c_tests::{Compiler, Kind, per_compiler};
use libtest_mimic::Trial;

use super::{compile, hot_path};

pub fn trials() -> Vec<Trial> {
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    per_compiler("cpp", Compiler::need_cpp, twins)
}

/// At -O1 gcc tests a pointer for NULL that it has tested before. At -Os gcc puts the path for NULL first, where
/// `hot_path` looks for the other one.
fn twins(compiler: Compiler) {
    let twins =
        ["retain", "retain_unless_zero", "adopt", "move", "scope", "copy_assign", "move_assign"];
    for level in ["-O2", "-O3"] {
        for exceptions in ["-fexceptions", "-fno-exceptions"] {
            let name = format!("{}{level}{exceptions}", compiler.kind().name());
            // Otherwise gcc makes one function of two equal ones.
            let apart = match compiler.kind() {
                Kind::Gcc => "-fno-ipa-icf",
                Kind::Clang => "-DCLANG",
            };
            let flags = ["-std=c++11", level, exceptions, apart];
            let assembly = compile(compiler.command(), "codegen.cpp", &name, &flags);
            for twin in twins {
                let [cpp, c] = ["cpp", "c"]
                    .map(|language| instructions(&assembly, &format!("{language}_{twin}")));
                assert_eq!(cpp, c, "{twin} {flags:?} in:\n{assembly}");
                assert!(twin == "move" || c.iter().any(|line| line.starts_with("lock")), "{c:?}");
            }
        }
    }
}

/// Every instruction of the hot path, sorted: the compilers may save a register earlier or later.
fn instructions(assembly: &str, function: &str) -> Vec<String> {
    let mut path = hot_path(assembly, function, |line| Some(line.split_whitespace().collect()));
    path.iter_mut()
        .for_each(|line| line.truncate(line.find(['%', '$', '(', '.', '_']).unwrap_or(line.len())));
    path.sort();
    path
}
